package testbed_test

import (
	"slices"
	"testing"

	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

func TestFreeAddressesAreDifferent(t *testing.T) {
	const number = 20
	addresses, err := testbed.FreeAddresses(number)
	must(t, err)
	slices.Sort(addresses)
	if different := len(slices.Compact(addresses)); different != number {
		t.Errorf("%d of %d are different", different, number)
	}
}
