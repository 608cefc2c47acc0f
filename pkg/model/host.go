package model

import (
	"cmp"
	"strings"
)

// ResolveHost writes out a host as a resource of the namespace means it: a name without dots is a service of that namespace; FQDNs, addresses and
// wildcards stay. (https://istio.io/latest/docs/reference/config/networking/virtual-service/#Destination)
func (m *Mesh) ResolveHost(host, namespace string) string {
	if host == "" || strings.ContainsAny(host, ".*:") || namespace == "" {
		return host
	}
	return host + "." + namespace + ".svc." + m.Settings.DomainSuffix
}

// HostMatches tells whether a host pattern (exact, or with a leading *) covers another pattern or name.
func HostMatches(pattern, host string) bool {
	suffix, wild := strings.CutPrefix(pattern, "*")
	if !wild {
		return pattern == host
	}
	if rest, ok := strings.CutPrefix(host, "*"); ok {
		return strings.HasSuffix(rest, suffix)
	}
	return strings.HasSuffix(host, suffix)
}

// HostsOverlap tells whether some name is covered by both patterns: one of them covers the other.
func HostsOverlap(a, b string) bool { return HostMatches(a, b) || HostMatches(b, a) }

// CompareHosts orders hosts from the most to the least specific: exact names before wildcards, longer wildcards before shorter ones,
// and by name among equals.
func CompareHosts(a, b string) int {
	wildA, wildB := strings.HasPrefix(a, "*"), strings.HasPrefix(b, "*")
	if wildA != wildB {
		if wildA {
			return 1
		}
		return -1
	}
	if wildA {
		return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b))
	}
	return cmp.Compare(a, b)
}

// hostTable finds the most specific pattern that covers a host, in time that does not depend on how many patterns there are.
type hostTable[T any] struct {
	exact map[string]T
	wild  map[string]T // by the pattern's text after its *
}

func newHostTable[T any]() *hostTable[T] {
	return &hostTable[T]{exact: map[string]T{}, wild: map[string]T{}}
}

func (t *hostTable[T]) slot(pattern string) (map[string]T, string) {
	if suffix, ok := strings.CutPrefix(pattern, "*"); ok {
		return t.wild, suffix
	}
	return t.exact, pattern
}

func (t *hostTable[T]) get(pattern string) (T, bool) {
	table, key := t.slot(pattern)
	v, ok := table[key]
	return v, ok
}

func (t *hostTable[T]) set(pattern string, v T) {
	table, key := t.slot(pattern)
	table[key] = v
}

// mostSpecific returns the value of the most specific pattern that covers the host, which may be a wildcard itself.
func (t *hostTable[T]) mostSpecific(host string) (v T, ok bool) {
	rest, wild := strings.CutPrefix(host, "*")
	if !wild {
		if v, ok := t.exact[host]; ok {
			return v, true
		}
	}
	if len(t.wild) == 0 {
		return v, false
	}
	for i := range len(rest) + 1 {
		if v, ok := t.wild[rest[i:]]; ok {
			return v, true
		}
	}
	return v, false
}
