package model

import (
	"fmt"
	"hash/fnv"
	"strings"
)

// istiod gives ServiceEntries without addresses one each, from 240.240.0.0/16, for proxies that answer DNS themselves
// (https://istio.io/latest/docs/ops/configuration/traffic-management/dns-proxy/#address-auto-allocation).
const (
	allocatable      = 255 * 255
	allocatableStep  = 65011 // a prime just below, for double hashing
	allocatablePlace = "240.240.%d.%d"
)

// allocateAddresses sets AutoAddress where istiod would: hosts that are no wildcards, without addresses of their own, whose endpoints
// the proxy looks for itself. services must be in a fixed order.
func allocateAddresses(services []*Service) {
	taken := map[uint32]bool{}
	given := map[string]string{}
	for _, s := range services {
		if len(s.Addresses) > 0 || strings.HasPrefix(s.Hostname, "*") || s.Resolution == Passthrough || s.Resolution == DynamicDNS {
			continue
		}
		key := s.Namespace + "/" + s.Hostname
		if _, ok := given[key]; !ok {
			given[key] = allocate(key, taken)
		}
		s.AutoAddress = given[key]
	}
}

func allocate(key string, taken map[uint32]bool) string {
	h := fnv.New32a()
	h.Write([]byte(key))
	sum := h.Sum32()
	n, step := sum%allocatable, allocatableStep-sum%allocatableStep
	for range allocatable {
		if n != 0 && !taken[n] {
			taken[n] = true
			return fmt.Sprintf(allocatablePlace, n/255, n%255)
		}
		n = (n + step) % allocatable
	}
	return ""
}
