package schema

import (
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/compile/patch"
)

// patchValue judges whether the value could be read as what it patches. Fields that this version of Envoy does not know, and extensions
// that meshc has no types for, are left alone.
func (c *check) patchValue(path string, p *networking.EnvoyFilter_EnvoyConfigObjectPatch) {
	into := patch.New(p.GetApplyTo())
	if into == nil || p.GetPatch().GetValue() == nil {
		return
	}
	text, err := protojson.Marshal(p.GetPatch().GetValue())
	if err != nil {
		return
	}
	err = protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(text, into)
	if err == nil || strings.Contains(err.Error(), "unable to resolve") {
		return
	}
	// The words before the position differ from build to build.
	_, why, _ := strings.Cut(err.Error(), "): ")
	c.errorf(InvalidValue, path, "the value is no %s of Envoy: %s", into.ProtoReflect().Descriptor().Name(), why)
}
