package simulate

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/meshc/meshc/pkg/compile"
)

// listenerOf has a filter chain for each match, named for its place, and a default one where asked for.
func listenerOf(t *testing.T, withDefault bool, matches ...string) *listenerv3.Listener {
	t.Helper()
	l := &listenerv3.Listener{}
	for i, m := range matches {
		match := &listenerv3.FilterChainMatch{}
		if err := protojson.Unmarshal([]byte(m), match); err != nil {
			t.Fatalf("%s: %v", m, err)
		}
		l.FilterChains = append(l.FilterChains, &listenerv3.FilterChain{Name: fmt.Sprint(i + 1), FilterChainMatch: match})
	}
	if withDefault {
		l.DefaultFilterChain = &listenerv3.FilterChain{Name: "default"}
	}
	return l
}

func TestFilterChainMatch(t *testing.T) {
	conn := connection{
		destination: netip.MustParseAddr("10.0.0.1"), port: 80, source: netip.MustParseAddr("192.0.2.1"),
		transport: "tls", serverName: "www.a.com", protocols: []string{"h2", "http/1.1"},
	}
	for _, test := range []struct {
		name    string
		matches []string
		want    string
	}{
		{"no condition", []string{`{}`}, "1"},
		{"the port wins over all without one", []string{`{"serverNames":["www.a.com"]}`, `{"destinationPort":80}`}, "2"},
		{"there is no way back", []string{`{}`, `{"destinationPort":80,"serverNames":["b.com"]}`}, "default"},
		{"longest prefix", []string{`{"prefixRanges":[{"addressPrefix":"10.0.0.0","prefixLen":8}]}`, `{"prefixRanges":[{"addressPrefix":"10.0.0.0","prefixLen":24}]}`, `{}`}, "2"},
		{"no prefix holds it", []string{`{"prefixRanges":[{"addressPrefix":"10.1.0.0","prefixLen":16}]}`}, "default"},
		{"exact server name", []string{`{"serverNames":["*.a.com"]}`, `{"serverNames":["www.a.com"]}`, `{}`}, "2"},
		{"longest wildcard", []string{`{"serverNames":["*.com"]}`, `{"serverNames":["*.a.com"]}`, `{}`}, "2"},
		{"any server name", []string{`{"serverNames":["b.com","*.www.a.com"]}`, `{}`}, "2"},
		{"transport", []string{`{"transportProtocol":"raw_buffer"}`, `{"transportProtocol":"tls"}`, `{}`}, "2"},
		{"the client's first protocol", []string{`{"applicationProtocols":["http/1.1"]}`, `{"applicationProtocols":["h2"]}`}, "2"},
		{"a protocol of several", []string{`{"applicationProtocols":["istio","http/1.1"]}`, `{}`}, "1"},
		{"no protocol fits", []string{`{"applicationProtocols":["istio"]}`, `{}`}, "2"},
		{"from elsewhere", []string{`{"sourceType":"SAME_IP_OR_LOOPBACK"}`, `{"sourceType":"EXTERNAL"}`, `{}`}, "2"},
		{"source range", []string{`{"sourcePrefixRanges":[{"addressPrefix":"192.0.2.0","prefixLen":24}]}`, `{}`}, "1"},
		{"peer range", []string{`{"directSourcePrefixRanges":[{"addressPrefix":"192.0.3.0","prefixLen":24}]}`}, "default"},
		{"source port", []string{`{"sourcePorts":[1234]}`, `{}`}, "2"},
		{"alike", []string{`{"destinationPort":80}`, `{"destinationPort":80}`}, "MultipleFilterChains"},
		{"no chain", nil, "default"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := &walk{sim: New(&compile.Configuration{}, Options{}), call: &Call{}, connection: conn}
			w.filterChain(listenerOf(t, true, test.matches...))
			got := w.out.FilterChain
			if w.out.Error != "" {
				got = string(w.out.Error)
			}
			if got != test.want {
				t.Errorf("chain %s, want %s", got, test.want)
			}
		})
	}
	w := &walk{sim: New(&compile.Configuration{}, Options{}), call: &Call{}, connection: conn}
	if c := w.filterChain(listenerOf(t, false, `{"destinationPort":81}`)); c != nil || w.out.Error != NoFilterChain {
		t.Errorf("chain %v, error %q, want none and NoFilterChain", c, w.out.Error)
	}
}

func TestFilterDisabled(t *testing.T) {
	port := func(p int) string { return fmt.Sprintf(`{"destinationPortRange":{"start":%d,"end":%d}}`, p, p+1) }
	for predicate, want := range map[string]bool{
		`{}`:                            false,
		port(80):                        true,
		port(81):                        false,
		`{"anyMatch":true}`:             true,
		`{"notMatch":` + port(80) + `}`: false,
		`{"orMatch":{"rules":[` + port(81) + `,` + port(80) + `]}}`:   true,
		`{"andMatch":{"rules":[` + port(81) + `,` + port(80) + `]}}`:  false,
		`{"andMatch":{"rules":[` + port(80) + `,{"anyMatch":true}]}}`: true,
	} {
		p := &listenerv3.ListenerFilterChainMatchPredicate{}
		if err := protojson.Unmarshal([]byte(predicate), p); err != nil {
			t.Fatal(err)
		}
		w := &walk{connection: connection{port: 80}}
		if got := w.disables(p); got != want {
			t.Errorf("%s is %v on port 80, want %v", strings.TrimSpace(predicate), got, want)
		}
	}
}
