package secrettemplate

import (
	"cmp"
	"reflect"
)

// The comparisons of text/template cannot be wrapped from outside, and unmetered they
// would compare large texts hundreds of times. These do the same for what a template
// can hold: texts, numbers, true and false.

// eq tells whether the first is equal to one of the others.
func eq(first any, others ...any) (bool, error) {
	if len(others) == 0 {
		return false, useError("eq compares two values or more")
	}
	for _, other := range others {
		if reflect.TypeOf(first) != reflect.TypeOf(other) {
			return false, useError("two values of different types are compared")
		}
		if first == other {
			return true, nil
		}
	}
	return false, nil
}

func ne(a, b any) (bool, error) {
	equal, err := eq(a, b)
	return !equal, err
}

func lt(a, b any) (bool, error) {
	order, err := compare(a, b)
	return order < 0, err
}

func le(a, b any) (bool, error) {
	order, err := compare(a, b)
	return order <= 0, err
}

func gt(a, b any) (bool, error) {
	order, err := compare(a, b)
	return order > 0, err
}

func ge(a, b any) (bool, error) {
	order, err := compare(a, b)
	return order >= 0, err
}

func compare(a, b any) (int, error) {
	switch a := a.(type) {
	case string:
		if b, same := b.(string); same {
			return cmp.Compare(a, b), nil
		}
	case int:
		if b, same := b.(int); same {
			return cmp.Compare(a, b), nil
		}
	case float64:
		if b, same := b.(float64); same {
			return cmp.Compare(a, b), nil
		}
	}
	return 0, useError("only two texts or two numbers of the same kind have an order")
}
