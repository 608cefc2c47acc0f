package model

import (
	"hash/fnv"
	"net/netip"
	"slices"
	"strconv"
)

// Addresses that only a cluster knows are made up, from the range that RFC 2544 sets aside for benchmarks and that no mesh routes:
// ClusterIPs from 198.18.0.0/16, pods from 198.19.0.0/16. An address follows from the hash of kind, namespace and name, and gives way to
// the next one only where another object already has it: the same input always gets the same addresses, and adding an object moves
// another one's address only in the rare case that both fall on the same number.
const (
	madeUpClusterIPs = "198.18"
	madeUpPods       = "198.19"
)

// addressPool hands out addresses of one of the ranges.
type addressPool struct {
	prefix string
	taken  map[string]bool
}

// madeUp returns an address for each key; addresses in used are left alone.
func madeUp(prefix string, keys []string, used map[string]bool) map[string]string {
	pool := addressPool{prefix: prefix, taken: used}
	out := make(map[string]string, len(keys))
	for _, key := range slices.Sorted(slices.Values(keys)) {
		if _, done := out[key]; !done {
			out[key] = pool.take(key)
		}
	}
	return out
}

// take returns the key's address. A range holds 65,000; a mesh with more objects than that begins to share them.
func (p *addressPool) take(key string) string {
	const size = 1 << 16
	h := fnv.New64a()
	h.Write([]byte(key))
	// The low bits of FNV mix better when folded.
	sum := h.Sum64()
	first := uint32(sum^sum>>32) % size
	for step := range uint32(size) {
		n := (first + step) % size
		if n&0xff == 0 || n&0xff == 0xff {
			continue // would look like a network or broadcast address
		}
		if a := p.address(n); !p.taken[a] {
			p.taken[a] = true
			return a
		}
	}
	return p.address(first | 1)
}

func (p *addressPool) address(n uint32) string {
	return p.prefix + "." + strconv.Itoa(int(n>>8)) + "." + strconv.Itoa(int(n&0xff))
}

// MadeUp tells whether meshc itself invented the address, because the input does not hold it.
func MadeUp(address string) bool {
	a, err := netip.ParseAddr(address)
	if err != nil || !a.Is4() {
		return false
	}
	b := a.As4()
	return b[0] == 198 && (b[1] == 18 || b[1] == 19)
}
