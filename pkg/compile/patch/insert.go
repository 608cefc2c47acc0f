package patch

import (
	"slices"

	networking "istio.io/api/networking/v1alpha3"
)

// Insert returns list with what made returns put where the operation says: INSERT_FIRST in front of all; INSERT_BEFORE and INSERT_AFTER by the first element
// that matches; ADD at the end. A nil match stands for a patch that names no element to stand by: before all of them, or after. done
// is false where nothing matches, and for operations that insert nothing. list is not changed.
func Insert[T any](list []T, op networking.EnvoyFilter_Patch_Operation, match func(T) bool, made func() T) (out []T, done bool) {
	at := 0
	switch op {
	case networking.EnvoyFilter_Patch_ADD:
		at = len(list)
	case networking.EnvoyFilter_Patch_INSERT_FIRST:
	case networking.EnvoyFilter_Patch_INSERT_BEFORE:
		if match != nil {
			at = slices.IndexFunc(list, match)
		}
	case networking.EnvoyFilter_Patch_INSERT_AFTER:
		at = len(list)
		if match != nil {
			if at = slices.IndexFunc(list, match); at >= 0 {
				at++
			}
		}
	default:
		return list, false
	}
	if at < 0 {
		return list, false
	}
	return slices.Insert(slices.Clone(list), at, made()), true
}

// Inserts tells whether the operation adds something rather than changes what is there.
func Inserts(op networking.EnvoyFilter_Patch_Operation) bool {
	switch op {
	case networking.EnvoyFilter_Patch_ADD, networking.EnvoyFilter_Patch_INSERT_FIRST,
		networking.EnvoyFilter_Patch_INSERT_BEFORE, networking.EnvoyFilter_Patch_INSERT_AFTER:
		return true
	}
	return false
}

// Merges tells whether the operation merges the value into what is there.
func Merges(op networking.EnvoyFilter_Patch_Operation) bool {
	return op == networking.EnvoyFilter_Patch_MERGE || op == networking.EnvoyFilter_Patch_MERGE_AND_REPLACE_LIST
}
