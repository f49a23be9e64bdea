package main

import (
	"fmt"
	"math"
	"slices"
)

// median is the middle of some numbers, 0 of none.
func median(numbers []float64) float64 {
	if len(numbers) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(numbers))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// spreadOf is how far the numbers lie from their median at most, as a share of it.
func spreadOf(numbers []float64) float64 {
	middle := median(numbers)
	if middle == 0 {
		return 0
	}
	return max(slices.Max(numbers)-middle, middle-slices.Min(numbers)) / math.Abs(middle)
}

// withSpread tells median and spread; the spread of a single number is not told.
func withSpread(numbers []float64, format string) string {
	text := fmt.Sprintf(format, median(numbers))
	if len(numbers) > 1 {
		text += fmt.Sprintf(" ±%.0f %%", 100*spreadOf(numbers))
	}
	return text
}

// maximum is the largest of some numbers, 0 of none.
func maximum(numbers []float64) float64 {
	if len(numbers) == 0 {
		return 0
	}
	return slices.Max(numbers)
}
