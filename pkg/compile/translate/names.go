package translate

import (
	"strconv"
	"strings"
)

// Clusters that every sidecar has besides those of services.
const (
	BlackHoleCluster          = "BlackHoleCluster"
	PassthroughCluster        = "PassthroughCluster"
	InboundPassthroughCluster = "InboundPassthroughCluster"
	// AllowAnyDynamicDNSCluster resolves the names of hosts that the mesh does not know.
	AllowAnyDynamicDNSCluster = "AllowAnyDynamicDNSCluster"
)

// OutboundCluster names the cluster of a service's port, or of one of its subsets ("" for all endpoints): outbound|9080|v1|reviews.default.svc.cluster.local.
func OutboundCluster(port uint32, subset, host string) string {
	return clusterName("outbound", port, subset, host)
}

// InboundCluster names the cluster of a port of the proxy's own workload: inbound|9080||.
func InboundCluster(port uint32) string { return clusterName("inbound", port, "", "") }

func clusterName(direction string, port uint32, subset, host string) string {
	return direction + "|" + strconv.FormatUint(uint64(port), 10) + "|" + subset + "|" + host
}

// SplitCluster takes a name of OutboundCluster or InboundCluster apart; ok is false for any other.
func SplitCluster(name string) (direction string, port uint32, subset, host string, ok bool) {
	parts := strings.Split(name, "|")
	if len(parts) != 4 {
		return "", 0, "", "", false
	}
	number, err := strconv.ParseUint(parts[1], 10, 32)
	if err != nil {
		return "", 0, "", "", false
	}
	return parts[0], uint32(number), parts[2], parts[3], true
}

// OutboundSNI is the server name that a client proxy sends for the cluster, from which a receiving gateway in AUTO_PASSTHROUGH mode finds
// the same cluster: outbound_.9080_.v1_.reviews.default.svc.cluster.local.
func OutboundSNI(port uint32, subset, host string) string {
	return "outbound_." + strconv.FormatUint(uint64(port), 10) + "_." + subset + "_." + host
}
