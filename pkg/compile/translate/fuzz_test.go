package translate

import (
	"testing"

	"google.golang.org/protobuf/proto"
	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

// FuzzHTTPRoutes holds that no VirtualService brings the translation down, and that the same one always gives the same routes.
func FuzzHTTPRoutes(f *testing.F) {
	for _, seed := range []*networking.VirtualService{
		{},
		{Http: []*networking.HTTPRoute{{}}},
		{Http: []*networking.HTTPRoute{{Match: []*networking.HTTPMatchRequest{{
			Headers:        map[string]*networking.StringMatch{"a": {}, "@request.auth.claims[x]": {}},
			WithoutHeaders: map[string]*networking.StringMatch{"b": nil},
			QueryParams:    map[string]*networking.StringMatch{"c": nil},
		}}}}},
		{Http: []*networking.HTTPRoute{{
			Route:    []*networking.HTTPRouteDestination{{}, {Weight: -1}},
			Retries:  &networking.HTTPRetry{Attempts: -1},
			Fault:    &networking.HTTPFaultInjection{Delay: &networking.HTTPFaultInjection_Delay{}, Abort: &networking.HTTPFaultInjection_Abort{}},
			Mirror:   &networking.Destination{},
			Mirrors:  []*networking.HTTPMirrorPolicy{{}},
			Rewrite:  &networking.HTTPRewrite{},
			Redirect: &networking.HTTPRedirect{},
		}}},
	} {
		text, err := proto.Marshal(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		spec := &networking.VirtualService{}
		if proto.Unmarshal(text, spec) != nil {
			return
		}
		vs := &model.VirtualService{Resource: &resource.Resource{Kind: "VirtualService", Name: "s"}, Spec: spec}
		once, again := HTTPRoutes(vs, sidecar()), HTTPRoutes(vs, sidecar())
		if len(once) != len(again) {
			t.Fatalf("%d routes, then %d", len(once), len(again))
		}
		for i := range once {
			if !proto.Equal(once[i], again[i]) {
				t.Errorf("route %d: %v, then %v", i, once[i], again[i])
			}
		}
	})
}
