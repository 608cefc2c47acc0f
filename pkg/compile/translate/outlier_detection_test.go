package translate_test

import (
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/compile/translate"
)

func TestOutlierDetection(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   *networking.OutlierDetection
		want *clusterv3.OutlierDetection
	}{
		{"none", nil, nil},
		{"empty", &networking.OutlierDetection{}, &clusterv3.OutlierDetection{EnforcingSuccessRate: wrapperspb.UInt32(0)}},
		{
			"everything",
			&networking.OutlierDetection{
				Consecutive_5XxErrors:          wrapperspb.UInt32(3),
				ConsecutiveGatewayErrors:       wrapperspb.UInt32(2),
				Interval:                       durationpb.New(7 * time.Second),
				BaseEjectionTime:               durationpb.New(9 * time.Second),
				MaxEjectionPercent:             40,
				SplitExternalLocalOriginErrors: true,
				ConsecutiveLocalOriginFailures: wrapperspb.UInt32(4),
			},
			&clusterv3.OutlierDetection{
				Consecutive_5Xx:                        wrapperspb.UInt32(3),
				EnforcingConsecutive_5Xx:               wrapperspb.UInt32(100),
				ConsecutiveGatewayFailure:              wrapperspb.UInt32(2),
				EnforcingConsecutiveGatewayFailure:     wrapperspb.UInt32(100),
				Interval:                               durationpb.New(7 * time.Second),
				BaseEjectionTime:                       durationpb.New(9 * time.Second),
				MaxEjectionPercent:                     wrapperspb.UInt32(40),
				EnforcingSuccessRate:                   wrapperspb.UInt32(0),
				SplitExternalLocalOriginErrors:         true,
				ConsecutiveLocalOriginFailure:          wrapperspb.UInt32(4),
				EnforcingConsecutiveLocalOriginFailure: wrapperspb.UInt32(100),
				EnforcingLocalOriginSuccessRate:        wrapperspb.UInt32(0),
			},
		},
		{
			"zero switches a detection off",
			&networking.OutlierDetection{Consecutive_5XxErrors: wrapperspb.UInt32(0), ConsecutiveGatewayErrors: wrapperspb.UInt32(0)},
			&clusterv3.OutlierDetection{
				Consecutive_5Xx: wrapperspb.UInt32(0), EnforcingConsecutive_5Xx: wrapperspb.UInt32(0),
				ConsecutiveGatewayFailure: wrapperspb.UInt32(0), EnforcingConsecutiveGatewayFailure: wrapperspb.UInt32(0),
				EnforcingSuccessRate: wrapperspb.UInt32(0),
			},
		},
		{
			"local failures count only when split",
			&networking.OutlierDetection{ConsecutiveLocalOriginFailures: wrapperspb.UInt32(4)},
			&clusterv3.OutlierDetection{EnforcingSuccessRate: wrapperspb.UInt32(0)},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, translate.OutlierDetection(tt.in), protocmp.Transform()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPanicThreshold(t *testing.T) {
	for _, tt := range []struct {
		in   *networking.OutlierDetection
		want float64
	}{
		{nil, 0},
		{&networking.OutlierDetection{MinHealthPercent: 20}, 20},
		{&networking.OutlierDetection{MinHealthPercent: -1}, 0},
	} {
		if got := translate.PanicThreshold(tt.in).GetValue(); got != tt.want {
			t.Errorf("PanicThreshold(%v) = %v, want %v", tt.in, got, tt.want)
		}
	}
}
