package simulate

import (
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"
)

func TestRouteMatch(t *testing.T) {
	request := func(method, path string, headers ...string) *request {
		r := &request{method: method, scheme: "http", host: "a.com", path: path, headers: map[string]string{}}
		for i := 0; i+1 < len(headers); i += 2 {
			r.headers[headers[i]] = headers[i+1]
		}
		return r
	}
	get := request("GET", "/api/v1?q=1&q=2&empty&e=", "x-user", "jason", "x-n", "42", "content-type", "application/grpc+proto")
	for match, want := range map[string]bool{
		// Paths, without their query.
		`{"prefix":"/api"}`:                                    true,
		`{"prefix":"/API"}`:                                    false,
		`{"prefix":"/API","caseSensitive":false}`:              true,
		`{"path":"/api/v1"}`:                                   true,
		`{"path":"/api/v1?q=1"}`:                               false,
		`{"path":"/API/v1","caseSensitive":false}`:             true,
		`{"safeRegex":{"regex":"/api/v[0-9]"}}`:                true,
		`{"safeRegex":{"regex":"/api"}}`:                       false,
		`{"safeRegex":{"regex":"/x|/api/v1"}}`:                 true,
		`{"safeRegex":{"regex":"(?i)/API/.*"}}`:                true,
		`{"safeRegex":{"regex":"a)(b"}}`:                       false,
		`{"pathSeparatedPrefix":"/api"}`:                       true,
		`{"pathSeparatedPrefix":"/api/v1"}`:                    true,
		`{"pathSeparatedPrefix":"/ap"}`:                        false,
		`{"pathSeparatedPrefix":"/API","caseSensitive":false}`: true,
		`{"connectMatcher":{}}`:                                false,
		`{}`:                                                   false,
		// Headers.
		`{"prefix":"/","headers":[{"name":"X-User","stringMatch":{"exact":"jason"}}]}`:                                                   true,
		`{"prefix":"/","headers":[{"name":"x-user","stringMatch":{"exact":"JASON"}}]}`:                                                   false,
		`{"prefix":"/","headers":[{"name":"x-user","stringMatch":{"exact":"JASON","ignoreCase":true}}]}`:                                 true,
		`{"prefix":"/","headers":[{"name":"x-user","stringMatch":{"prefix":"ja"}}]}`:                                                     true,
		`{"prefix":"/","headers":[{"name":"x-user","stringMatch":{"suffix":"on"}}]}`:                                                     true,
		`{"prefix":"/","headers":[{"name":"x-user","stringMatch":{"contains":"as"}}]}`:                                                   true,
		`{"prefix":"/","headers":[{"name":"x-user","stringMatch":{"safeRegex":{"regex":"ja"}}}]}`:                                        false,
		`{"prefix":"/","headers":[{"name":"x-user","exactMatch":"jason"}]}`:                                                              true,
		`{"prefix":"/","headers":[{"name":"x-user"}]}`:                                                                                   true,
		`{"prefix":"/","headers":[{"name":"x-user","presentMatch":false}]}`:                                                              false,
		`{"prefix":"/","headers":[{"name":"x-none","presentMatch":false}]}`:                                                              true,
		`{"prefix":"/","headers":[{"name":"x-none","presentMatch":true,"invertMatch":true}]}`:                                            true,
		`{"prefix":"/","headers":[{"name":"x-user","stringMatch":{"exact":"bob"},"invertMatch":true}]}`:                                  true,
		`{"prefix":"/","headers":[{"name":"x-none","stringMatch":{"exact":"bob"},"invertMatch":true}]}`:                                  false,
		`{"prefix":"/","headers":[{"name":"x-none","stringMatch":{"exact":"bob"},"invertMatch":true,"treatMissingHeaderAsEmpty":true}]}`: true,
		`{"prefix":"/","headers":[{"name":"x-n","rangeMatch":{"start":42,"end":43}}]}`:                                                   true,
		`{"prefix":"/","headers":[{"name":"x-n","rangeMatch":{"start":0,"end":42}}]}`:                                                    false,
		`{"prefix":"/","headers":[{"name":":method","stringMatch":{"exact":"GET"}},{"name":":authority","stringMatch":{"exact":"a.com"}},{"name":"host","stringMatch":{"exact":"a.com"}},{"name":":scheme","stringMatch":{"exact":"http"}}]}`: true,
		// Query parameters: the first of a name.
		`{"prefix":"/","queryParameters":[{"name":"q","stringMatch":{"exact":"1"}}]}`: true,
		`{"prefix":"/","queryParameters":[{"name":"q","stringMatch":{"exact":"2"}}]}`: false,
		`{"prefix":"/","queryParameters":[{"name":"empty","presentMatch":true}]}`:     true,
		`{"prefix":"/","queryParameters":[{"name":"e","stringMatch":{"exact":""}}]}`:  true,
		`{"prefix":"/","queryParameters":[{"name":"none","presentMatch":true}]}`:      false,
		`{"prefix":"/","queryParameters":[{"name":"none"}]}`:                          false,
		// The rest.
		`{"prefix":"/","grpc":{}}`: true,
		`{"prefix":"/","runtimeFraction":{"defaultValue":{"numerator":0}}}`:   false,
		`{"prefix":"/","runtimeFraction":{"defaultValue":{"numerator":100}}}`: true,
	} {
		m := &routev3.RouteMatch{}
		if err := protojson.Unmarshal([]byte(match), m); err != nil {
			t.Fatalf("%s: %v", match, err)
		}
		if met, why := newRoute(&routev3.Route{Match: m}).matches(get); met != want {
			t.Errorf("%s: %v, want a match: %v", match, why, want)
		}
	}
	connect := newRoute(&routev3.Route{Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_ConnectMatcher_{}}})
	if met, why := connect.matches(request("CONNECT", "a.com:443")); !met {
		t.Errorf("CONNECT: %s", why)
	}
}

func TestMetadataMatch(t *testing.T) {
	claims, err := structpb.NewStruct(map[string]any{"payload": map[string]any{
		"iss": "me", "groups": []any{"a", "b"}, "admin": true, "level": 3, "none": nil,
	}})
	if err != nil {
		t.Fatal(err)
	}
	metadata := map[string]*structpb.Struct{"jwt": claims}
	for match, want := range map[string]bool{
		`{"filter":"jwt","path":[{"key":"payload"},{"key":"iss"}],"value":{"stringMatch":{"exact":"me"}}}`:                                                    true,
		`{"filter":"jwt","path":[{"key":"payload"},{"key":"iss"}],"value":{"stringMatch":{"exact":"me"}},"invert":true}`:                                      false,
		`{"filter":"jwt","path":[{"key":"payload"},{"key":"sub"}],"value":{"presentMatch":true}}`:                                                             false,
		`{"filter":"jwt","path":[{"key":"payload"},{"key":"groups"}],"value":{"listMatch":{"oneOf":{"stringMatch":{"exact":"b"}}}}}`:                          true,
		`{"filter":"jwt","path":[{"key":"payload"},{"key":"admin"}],"value":{"boolMatch":true}}`:                                                              true,
		`{"filter":"jwt","path":[{"key":"payload"},{"key":"level"}],"value":{"doubleMatch":{"range":{"start":3,"end":4}}}}`:                                   true,
		`{"filter":"jwt","path":[{"key":"payload"},{"key":"level"}],"value":{"doubleMatch":{"exact":4}}}`:                                                     false,
		`{"filter":"jwt","path":[{"key":"payload"},{"key":"none"}],"value":{"nullMatch":{}}}`:                                                                 true,
		`{"filter":"jwt","path":[{"key":"payload"},{"key":"iss"}],"value":{"orMatch":{"valueMatchers":[{"boolMatch":true},{"stringMatch":{"prefix":"m"}}]}}}`: true,
		`{"filter":"other","path":[{"key":"payload"}],"value":{"presentMatch":true}}`:                                                                         false,
	} {
		m := &matcherv3.MetadataMatcher{}
		if err := protojson.Unmarshal([]byte(match), m); err != nil {
			t.Fatalf("%s: %v", match, err)
		}
		if got := matchesMetadata(m, metadata); got != want {
			t.Errorf("%s: %v, want %v", match, got, want)
		}
	}
}
