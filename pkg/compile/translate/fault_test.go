package translate

import (
	"testing"

	faultv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/fault/v3"
	networking "istio.io/api/networking/v1alpha3"
)

func TestFault(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{
			name: "delay and abort",
			in:   `{delay: {percentage: {value: 0.1}, fixedDelay: 7s}, abort: {percentage: {value: 100}, httpStatus: 503}}`,
			want: `
delay: {fixedDelay: 7s, percentage: {numerator: 1000, denominator: MILLION}}
abort: {httpStatus: 503, percentage: {numerator: 1000000, denominator: MILLION}}`,
		},
		{
			name: "the old whole percentage of a delay",
			in:   `delay: {percent: 30, fixedDelay: 1s}`,
			want: `delay: {fixedDelay: 1s, percentage: {numerator: 30}}`,
		},
		{
			name: "gRPC status",
			in:   `abort: {grpcStatus: UNAVAILABLE, percentage: {value: 50}}`,
			want: `abort: {grpcStatus: 14, percentage: {numerator: 500000, denominator: MILLION}}`,
		},
		{
			name: "abort without percentage",
			in:   `abort: {httpStatus: 400}`,
			want: `abort: {httpStatus: 400}`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			same(t, Fault(read(t, &networking.HTTPFaultInjection{}, tc.in)), read(t, &faultv3.HTTPFault{}, tc.want))
		})
	}
}

func TestFaultThatIstioDoesNotInject(t *testing.T) {
	for _, in := range []string{`{}`, `delay: {exponentialDelay: 1s}`, `abort: {http2Error: CANCEL}`} {
		if got := Fault(read(t, &networking.HTTPFaultInjection{}, in)); got != nil {
			t.Errorf("%s: got %v, want none", in, got)
		}
	}
	if got := Fault(nil); got != nil {
		t.Errorf("got %v for nothing", got)
	}
}
