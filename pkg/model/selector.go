package model

// Selects tells whether the labels include all of the selector; an empty selector selects everything.
func Selects(selector, labels map[string]string) bool {
	for k, v := range selector {
		if have, ok := labels[k]; !ok || have != v {
			return false
		}
	}
	return true
}

// labelIndex finds those of many labelled things that a selector selects, without looking at all of them.
type labelIndex[T any] struct {
	all    []T
	labels func(T) map[string]string
	byPair map[[2]string][]T
}

func newLabelIndex[T any](all []T, labels func(T) map[string]string) *labelIndex[T] {
	x := &labelIndex[T]{all: all, labels: labels, byPair: map[[2]string][]T{}}
	for _, t := range all {
		for k, v := range labels(t) {
			x.byPair[[2]string{k, v}] = append(x.byPair[[2]string{k, v}], t)
		}
	}
	return x
}

// selected returns what the selector selects, in the order of the index; everything for an empty selector.
func (x *labelIndex[T]) selected(selector map[string]string) []T {
	if x == nil {
		return nil
	}
	if len(selector) == 0 {
		return x.all
	}
	shortest, first := []T(nil), true
	for k, v := range selector {
		if l := x.byPair[[2]string{k, v}]; first || len(l) < len(shortest) {
			shortest, first = l, false
		}
	}
	var out []T
	for _, t := range shortest {
		if Selects(selector, x.labels(t)) {
			out = append(out, t)
		}
	}
	return out
}
