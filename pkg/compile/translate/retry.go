package translate

import (
	"net/http"
	"strconv"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	previoushostsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/retry/host/previous_hosts/v3"
	previousprioritiesv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/retry/priority/previous_priorities/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
	networking "istio.io/api/networking/v1alpha3"
)

// Istio's retries where nobody says otherwise (https://istio.io/latest/docs/concepts/traffic-management/#retries).
const (
	defaultRetryOn      = "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes"
	defaultRetries      = 2
	hostSelectionTries  = 5
	retriableStatusCode = "retriable-status-codes"
)

// RetryPolicy translates retries over Istio's defaults; nil in means just these, and zero attempts give nil: no retries. Hashed
// says that requests are bound to one host by hash, which a retry must then be allowed to try again.
// (https://istio.io/latest/docs/reference/config/networking/virtual-service/#HTTPRetry)
func RetryPolicy(in *networking.HTTPRetry, hashed bool) *routev3.RetryPolicy {
	out := &routev3.RetryPolicy{
		RetryOn:                       defaultRetryOn,
		NumRetries:                    wrapperspb.UInt32(defaultRetries),
		HostSelectionRetryMaxAttempts: hostSelectionTries,
	}
	elsewhere := !hashed
	if in != nil {
		if in.GetAttempts() <= 0 {
			return nil
		}
		out.NumRetries.Value = uint32(in.GetAttempts())
		if in.GetRetryOn() != "" {
			out.RetryOn, out.RetriableStatusCodes = retryOn(in.GetRetryOn())
		}
		out.PerTryTimeout = in.GetPerTryTimeout()
		if in.GetRetryRemoteLocalities().GetValue() {
			out.RetryPriority = &routev3.RetryPolicy_RetryPriority{
				Name: "envoy.retry_priorities.previous_priorities",
				ConfigType: &routev3.RetryPolicy_RetryPriority_TypedConfig{
					TypedConfig: pack(&previousprioritiesv3.PreviousPrioritiesConfig{UpdateFrequency: 2}),
				},
			}
		}
		if ignore := in.GetRetryIgnorePreviousHosts(); ignore != nil {
			elsewhere = ignore.GetValue()
		}
		if in.GetBackoff() != nil {
			out.RetryBackOff = &routev3.RetryPolicy_RetryBackOff{BaseInterval: in.GetBackoff()}
		}
	}
	if elsewhere {
		out.RetryHostPredicate = []*routev3.RetryPolicy_RetryHostPredicate{{
			Name: "envoy.retry_host_predicates.previous_hosts",
			ConfigType: &routev3.RetryPolicy_RetryHostPredicate_TypedConfig{
				TypedConfig: pack(&previoushostsv3.PreviousHostsPredicate{}),
			},
		}}
	}
	return out
}

// retryOn parts the conditions from the status codes among them, and adds the condition that codes need.
func retryOn(in string) (string, []uint32) {
	var conditions []string
	var codes []uint32
	for part := range strings.SplitSeq(in, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		if code, err := strconv.Atoi(part); err == nil && http.StatusText(code) != "" {
			codes = append(codes, uint32(code))
		} else {
			conditions = append(conditions, part)
		}
	}
	on := strings.Join(conditions, ",")
	if len(codes) > 0 && !strings.Contains(on, retriableStatusCode) {
		// Where there are codes alone a comma comes first, as in istiod. Envoy passes over it.
		on += "," + retriableStatusCode
	}
	return on, codes
}

// pack wraps a message that no YAML shaped by itself. Only invalid UTF-8 can fail to marshal, and such messages hold no strings.
func pack(msg proto.Message) *anypb.Any {
	out := &anypb.Any{}
	if err := anypb.MarshalFrom(out, msg, proto.MarshalOptions{Deterministic: true}); err != nil {
		panic(err)
	}
	return out
}
