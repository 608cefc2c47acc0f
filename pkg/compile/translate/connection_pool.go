package translate

import (
	"math"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
	networking "istio.io/api/networking/v1alpha3"
)

// CircuitBreakers are the limits of a connection pool. What is not limited is unlimited, since Envoy's own defaults (1024 connections, 3
// retries) are too small for a mesh. (https://istio.io/latest/docs/reference/config/networking/destination-rule/#ConnectionPoolSettings)
func CircuitBreakers(pool *networking.ConnectionPoolSettings, budget *networking.TrafficPolicy_RetryBudget) *clusterv3.CircuitBreakers {
	http := pool.GetHttp()
	return &clusterv3.CircuitBreakers{Thresholds: []*clusterv3.CircuitBreakers_Thresholds{{
		MaxConnections:     limit(pool.GetTcp().GetMaxConnections()),
		MaxPendingRequests: limit(http.GetHttp1MaxPendingRequests()),
		MaxRequests:        limit(http.GetHttp2MaxRequests()),
		MaxRetries:         limit(http.GetMaxRetries()),
		RetryBudget:        retryBudget(budget),
	}}}
}

// limit is the largest number where n says nothing.
func limit(n int32) *wrapperspb.UInt32Value {
	if n <= 0 {
		return wrapperspb.UInt32(math.MaxUint32)
	}
	return wrapperspb.UInt32(uint32(n))
}

func retryBudget(b *networking.TrafficPolicy_RetryBudget) *clusterv3.CircuitBreakers_Thresholds_RetryBudget {
	if b == nil {
		return nil
	}
	out := &clusterv3.CircuitBreakers_Thresholds_RetryBudget{
		BudgetPercent:       &typev3.Percent{Value: 20},
		MinRetryConcurrency: wrapperspb.UInt32(3),
	}
	if b.GetPercent() != nil {
		out.BudgetPercent.Value = b.GetPercent().GetValue()
	}
	if n := b.GetMinRetryConcurrency(); n > 0 {
		out.MinRetryConcurrency.Value = n
	}
	return out
}

// ConnectTimeout is the pool's, or else the mesh's.
func ConnectTimeout(pool *networking.ConnectionPoolSettings, mesh *durationpb.Duration) *durationpb.Duration {
	if t := pool.GetTcp().GetConnectTimeout(); t != nil {
		return t
	}
	return mesh
}

// TCPKeepalive turns on keepalive where the mesh or the pool asks for it; what the pool sets wins, setting by setting. Nil where neither
// asks.
func TCPKeepalive(mesh *networking.ConnectionPoolSettings_TCPSettings_TcpKeepalive, pool *networking.ConnectionPoolSettings) *clusterv3.UpstreamConnectionOptions {
	var out *clusterv3.UpstreamConnectionOptions
	for _, k := range []*networking.ConnectionPoolSettings_TCPSettings_TcpKeepalive{mesh, pool.GetTcp().GetTcpKeepalive()} {
		if k == nil {
			continue
		}
		if out == nil {
			out = &clusterv3.UpstreamConnectionOptions{TcpKeepalive: &corev3.TcpKeepalive{}}
		}
		if k.GetProbes() > 0 {
			out.TcpKeepalive.KeepaliveProbes = wrapperspb.UInt32(k.GetProbes())
		}
		if k.GetTime() != nil {
			out.TcpKeepalive.KeepaliveTime = wrapperspb.UInt32(uint32(k.GetTime().GetSeconds()))
		}
		if k.GetInterval() != nil {
			out.TcpKeepalive.KeepaliveInterval = wrapperspb.UInt32(uint32(k.GetInterval().GetSeconds()))
		}
	}
	return out
}
