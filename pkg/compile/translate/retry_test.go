package translate

import (
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	networking "istio.io/api/networking/v1alpha3"
)

// elsewhere is the predicate by which a retry avoids hosts that have failed.
const elsewhere = `
retryHostPredicate:
- name: envoy.retry_host_predicates.previous_hosts
  typedConfig: {"@type": type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate}
hostSelectionRetryMaxAttempts: "5"
`

func TestRetryPolicy(t *testing.T) {
	for _, tc := range []struct {
		name   string
		in     string
		hashed bool
		want   string
	}{
		{
			name: "attempts alone keep the default conditions",
			in:   `attempts: 3`,
			want: elsewhere + `
retryOn: connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes
numRetries: 3`,
		},
		{
			name: "conditions and timeout",
			in:   `{attempts: 5, retryOn: "gateway-error, connect-failure", perTryTimeout: 1s}`,
			want: elsewhere + `
retryOn: gateway-error,connect-failure
numRetries: 5
perTryTimeout: 1s`,
		},
		{
			name: "status codes among the conditions",
			in:   `{attempts: 1, retryOn: "5xx,503,429,,999"}`,
			want: elsewhere + `
retryOn: 5xx,999,retriable-status-codes
retriableStatusCodes: [503, 429]
numRetries: 1`,
		},
		{
			name: "status codes with the condition given",
			in:   `{attempts: 1, retryOn: "retriable-status-codes,503"}`,
			want: elsewhere + `
retryOn: retriable-status-codes
retriableStatusCodes: [503]
numRetries: 1`,
		},
		{
			name: "status codes alone",
			in:   `{attempts: 1, retryOn: "503"}`,
			want: elsewhere + `
retryOn: ",retriable-status-codes"
retriableStatusCodes: [503]
numRetries: 1`,
		},
		{
			name: "other localities, with a pause",
			in:   `{attempts: 1, retryOn: reset, retryRemoteLocalities: true, backoff: 0.050s}`,
			want: elsewhere + `
retryOn: reset
numRetries: 1
retryBackOff: {baseInterval: 0.050s}
retryPriority:
  name: envoy.retry_priorities.previous_priorities
  typedConfig:
    "@type": type.googleapis.com/envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig
    updateFrequency: 2`,
		},
		{
			name:   "bound to a host by hash",
			in:     `{attempts: 1, retryOn: reset}`,
			hashed: true,
			want:   `{retryOn: reset, numRetries: 1, hostSelectionRetryMaxAttempts: "5"}`,
		},
		{
			name:   "bound to a host by hash, yet to be retried elsewhere",
			in:     `{attempts: 1, retryOn: reset, retryIgnorePreviousHosts: true}`,
			hashed: true,
			want:   elsewhere + "retryOn: reset\nnumRetries: 1",
		},
		{
			name: "the same host again",
			in:   `{attempts: 1, retryOn: reset, retryIgnorePreviousHosts: false}`,
			want: `{retryOn: reset, numRetries: 1, hostSelectionRetryMaxAttempts: "5"}`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := RetryPolicy(read(t, &networking.HTTPRetry{}, tc.in), tc.hashed)
			same(t, got, read(t, &routev3.RetryPolicy{}, tc.want))
		})
	}
}

func TestRetryPolicyDefaults(t *testing.T) {
	want := "\nretryOn: connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes\nnumRetries: 2\n"
	same(t, RetryPolicy(nil, false), read(t, &routev3.RetryPolicy{}, elsewhere+want))
	same(t, RetryPolicy(nil, true), read(t, &routev3.RetryPolicy{}, `hostSelectionRetryMaxAttempts: "5"`+want))
}

func TestRetryPolicyOfNoAttempts(t *testing.T) {
	if got := RetryPolicy(read(t, &networking.HTTPRetry{}, `{attempts: 0, retryOn: 5xx}`), false); got != nil {
		t.Errorf("got %v, want no retries", got)
	}
}
