package translate_test

import (
	"math"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/compile/translate"
)

func TestCircuitBreakers(t *testing.T) {
	unlimited := wrapperspb.UInt32(math.MaxUint32)
	for _, tt := range []struct {
		name   string
		pool   *networking.ConnectionPoolSettings
		budget *networking.TrafficPolicy_RetryBudget
		want   *clusterv3.CircuitBreakers_Thresholds
	}{
		{
			"no pool is no limit", nil, nil,
			&clusterv3.CircuitBreakers_Thresholds{
				MaxConnections: unlimited, MaxPendingRequests: unlimited, MaxRequests: unlimited, MaxRetries: unlimited,
			},
		},
		{
			"every limit",
			&networking.ConnectionPoolSettings{
				Tcp: &networking.ConnectionPoolSettings_TCPSettings{MaxConnections: 10},
				Http: &networking.ConnectionPoolSettings_HTTPSettings{
					Http1MaxPendingRequests: 11, Http2MaxRequests: 12, MaxRetries: 14,
				},
			}, nil,
			&clusterv3.CircuitBreakers_Thresholds{
				MaxConnections: wrapperspb.UInt32(10), MaxPendingRequests: wrapperspb.UInt32(11),
				MaxRequests: wrapperspb.UInt32(12), MaxRetries: wrapperspb.UInt32(14),
			},
		},
		{
			"default retry budget", nil, &networking.TrafficPolicy_RetryBudget{},
			&clusterv3.CircuitBreakers_Thresholds{
				MaxConnections: unlimited, MaxPendingRequests: unlimited, MaxRequests: unlimited, MaxRetries: unlimited,
				RetryBudget: &clusterv3.CircuitBreakers_Thresholds_RetryBudget{
					BudgetPercent: &typev3.Percent{Value: 20}, MinRetryConcurrency: wrapperspb.UInt32(3),
				},
			},
		},
		{
			"retry budget", nil, &networking.TrafficPolicy_RetryBudget{Percent: wrapperspb.Double(25), MinRetryConcurrency: 5},
			&clusterv3.CircuitBreakers_Thresholds{
				MaxConnections: unlimited, MaxPendingRequests: unlimited, MaxRequests: unlimited, MaxRetries: unlimited,
				RetryBudget: &clusterv3.CircuitBreakers_Thresholds_RetryBudget{
					BudgetPercent: &typev3.Percent{Value: 25}, MinRetryConcurrency: wrapperspb.UInt32(5),
				},
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := &clusterv3.CircuitBreakers{Thresholds: []*clusterv3.CircuitBreakers_Thresholds{tt.want}}
			if diff := cmp.Diff(want, translate.CircuitBreakers(tt.pool, tt.budget), protocmp.Transform()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestConnectTimeout(t *testing.T) {
	mesh := durationpb.New(10 * time.Second)
	pool := &networking.ConnectionPoolSettings{Tcp: &networking.ConnectionPoolSettings_TCPSettings{ConnectTimeout: durationpb.New(2 * time.Second)}}
	if got := translate.ConnectTimeout(pool, mesh).AsDuration(); got != 2*time.Second {
		t.Errorf("the pool's timeout is 2s, got %v", got)
	}
	if got := translate.ConnectTimeout(nil, mesh).AsDuration(); got != 10*time.Second {
		t.Errorf("the mesh's timeout is 10s, got %v", got)
	}
}

func TestTCPKeepalive(t *testing.T) {
	type keepalive = networking.ConnectionPoolSettings_TCPSettings_TcpKeepalive
	pool := func(k *keepalive) *networking.ConnectionPoolSettings {
		return &networking.ConnectionPoolSettings{Tcp: &networking.ConnectionPoolSettings_TCPSettings{TcpKeepalive: k}}
	}
	for _, tt := range []struct {
		name string
		mesh *keepalive
		pool *networking.ConnectionPoolSettings
		want *corev3.TcpKeepalive
	}{
		{"nobody asks", nil, nil, nil},
		{"with the system's settings", nil, pool(&keepalive{}), &corev3.TcpKeepalive{}},
		{
			"pool over mesh",
			&keepalive{Probes: 9, Time: durationpb.New(time.Hour), Interval: durationpb.New(time.Minute)},
			pool(&keepalive{Probes: 3, Time: durationpb.New(75 * time.Second)}),
			&corev3.TcpKeepalive{
				KeepaliveProbes: wrapperspb.UInt32(3), KeepaliveTime: wrapperspb.UInt32(75), KeepaliveInterval: wrapperspb.UInt32(60),
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, translate.TCPKeepalive(tt.mesh, tt.pool).GetTcpKeepalive(), protocmp.Transform()); diff != "" {
				t.Error(diff)
			}
		})
	}
}
