package translate

import (
	"math"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	commonfaultv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/common/fault/v3"
	faultv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/fault/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	networking "istio.io/api/networking/v1alpha3"
)

// Fault translates faults to inject; nil where there are none, nor any of a sort that Istio carries out (fixed delays, HTTP and gRPC
// statuses). (https://istio.io/latest/docs/reference/config/networking/virtual-service/#HTTPFaultInjection)
func Fault(in *networking.HTTPFaultInjection) *faultv3.HTTPFault {
	if in == nil {
		return nil
	}
	out := &faultv3.HTTPFault{Delay: delay(in.GetDelay()), Abort: abort(in.GetAbort())}
	if out.Delay == nil && out.Abort == nil {
		return nil
	}
	return out
}

func delay(in *networking.HTTPFaultInjection_Delay) *commonfaultv3.FaultDelay {
	fixed, ok := in.GetHttpDelayType().(*networking.HTTPFaultInjection_Delay_FixedDelay)
	if !ok {
		return nil
	}
	out := &commonfaultv3.FaultDelay{
		FaultDelaySecifier: &commonfaultv3.FaultDelay_FixedDelay{FixedDelay: fixed.FixedDelay},
	}
	if in.GetPercentage() != nil {
		out.Percentage = fraction(in.GetPercentage())
	} else {
		//lint:ignore SA1019 the old field still counts
		out.Percentage = percent(uint32(max(in.GetPercent(), 0)))
	}
	return out
}

func abort(in *networking.HTTPFaultInjection_Abort) *faultv3.FaultAbort {
	out := &faultv3.FaultAbort{}
	switch e := in.GetErrorType().(type) {
	case *networking.HTTPFaultInjection_Abort_HttpStatus:
		out.ErrorType = &faultv3.FaultAbort_HttpStatus{HttpStatus: uint32(max(e.HttpStatus, 0))}
	case *networking.HTTPFaultInjection_Abort_GrpcStatus:
		out.ErrorType = &faultv3.FaultAbort_GrpcStatus{GrpcStatus: grpcStatus(e.GrpcStatus)}
	default:
		return nil
	}
	// Without a percentage istiod sends none either, which Envoy takes for zero.
	if in.GetPercentage() != nil {
		out.Percentage = fraction(in.GetPercentage())
	}
	return out
}

// grpcStatus returns the number of a gRPC status by its name (https://grpc.io/docs/guides/status-codes/), 0 for an unknown one.
func grpcStatus(name string) uint32 {
	for code, known := range [...]string{
		"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
		"RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE",
		"DATA_LOSS", "UNAUTHENTICATED",
	} {
		if name == known {
			return uint32(code)
		}
	}
	return 0
}

// fraction translates a percentage with its decimals, of which Envoy keeps four. What is no percentage counts as the nearest one.
func fraction(in *networking.Percent) *typev3.FractionalPercent {
	value := in.GetValue()
	if math.IsNaN(value) {
		value = 0
	}
	return &typev3.FractionalPercent{
		Numerator:   uint32(min(max(value, 0), 100) * 10_000),
		Denominator: typev3.FractionalPercent_MILLION,
	}
}

// percent is a whole percentage.
func percent(value uint32) *typev3.FractionalPercent {
	return &typev3.FractionalPercent{Numerator: value, Denominator: typev3.FractionalPercent_HUNDRED}
}

func runtimeFraction(value *typev3.FractionalPercent) *corev3.RuntimeFractionalPercent {
	return &corev3.RuntimeFractionalPercent{DefaultValue: value}
}
