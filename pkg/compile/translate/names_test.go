package translate

import "testing"

func TestClusterNames(t *testing.T) {
	const host = "reviews.default.svc.cluster.local"
	for _, tc := range []struct{ got, want string }{
		{OutboundCluster(9080, "v1", host), "outbound|9080|v1|" + host},
		{OutboundCluster(9080, "", host), "outbound|9080||" + host},
		{InboundCluster(9080), "inbound|9080||"},
		{OutboundSNI(9080, "v1", host), "outbound_.9080_.v1_." + host},
		{OutboundSNI(9080, "", host), "outbound_.9080_._." + host},
	} {
		if tc.got != tc.want {
			t.Errorf("got %q, want %q", tc.got, tc.want)
		}
	}
}

func TestSplitCluster(t *testing.T) {
	direction, port, subset, host, ok := SplitCluster("outbound|9080|v1|reviews")
	if direction != "outbound" || port != 9080 || subset != "v1" || host != "reviews" || !ok {
		t.Errorf("got %q %d %q %q %v", direction, port, subset, host, ok)
	}
	for _, name := range []string{"", PassthroughCluster, "outbound|x|v1|reviews", "outbound|80|v1", "a|1|b|c|d"} {
		if _, _, _, _, ok := SplitCluster(name); ok {
			t.Errorf("%q is taken for a cluster of a service", name)
		}
	}
}
