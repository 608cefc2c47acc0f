package realenvoy

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/simulate"
)

// difference says how the simulator's outcome differs from what Envoy did, "" for not at all.
func difference(cfg *compile.Configuration, o simulate.Outcome, r connection) string {
	known := func(cluster string) bool {
		for _, have := range cfg.Clusters {
			if have.GetName() == cluster {
				return true
			}
		}
		return false
	}
	forwards := o.Error == "" && o.Redirect == nil && o.Direct == 0
	overTCP := forwards && o.VirtualHost == ""
	missing := forwards && o.Cluster != "" && !known(o.Cluster)
	partly := slices.ContainsFunc(o.Clusters, func(w simulate.WeightedCluster) bool { return !known(w.Name) })
	switch {
	case closes(o) || missing && overTCP:
		if !r.closed {
			return fmt.Sprintf("Envoy answers %d by %q, the simulator says %s in %s (%s)", r.status, r.answer.Server, o.Error, o.FilterChain, o.Cluster)
		}
		return ""
	case r.closed && partly && overTCP:
		return ""
	case r.closed:
		return fmt.Sprintf("Envoy closes the connection (%v), the simulator goes to %q %v (error %q, chain %s)", r.why, o.Cluster, o.Clusters, o.Error, o.FilterChain)
	case missing || partly && r.status == http.StatusServiceUnavailable:
		if r.status != http.StatusServiceUnavailable {
			return fmt.Sprintf("Envoy answers %d by %q though there is no cluster %q", r.status, r.answer.Server, o.Cluster)
		}
		return ""
	case overTCP:
		// Nothing of the request is looked at but by the echo server, which refuses a malformed one before it says who it is.
		malformed := r.status == http.StatusBadRequest && r.answer.Server == ""
		if !malformed && !reached(o, r.answer.Server) {
			return fmt.Sprintf("the TCP connection reaches %q (status %d), in the simulator %q %v", r.answer.Server, r.status, o.Cluster, o.Clusters)
		}
		return ""
	}
	return disagreement(o, r.seen)
}

// closes tells the outcomes in which the client gets no answer.
func closes(o simulate.Outcome) bool {
	switch o.Error {
	case simulate.NoListener, simulate.NoFilterChain, simulate.TLSError, simulate.MTLSError:
		return true
	case simulate.Denied, simulate.ProtocolError:
		return o.Status == 0
	}
	return false
}

// disagreement says how the simulator's outcome of a request differs from what was seen, "" for not at all.
func disagreement(o simulate.Outcome, s seen) string {
	status, location := http.StatusOK, ""
	switch {
	case o.Error == simulate.NoVirtualHost || o.Error == simulate.NoRoute:
		status = http.StatusNotFound
	case o.Status != 0:
		status = int(o.Status)
	case o.Redirect != nil:
		status, location = int(o.Redirect.Status), o.Redirect.Location
	case o.Direct != 0:
		status = int(o.Direct)
	}
	if s.status != status || s.location != location {
		return fmt.Sprintf("Envoy answers %d %q by %q, the simulator %d %q (%s, route %q of %q)",
			s.status, s.location, s.answer.Server, status, location, o.Error, o.Route, o.VirtualHost)
	}
	if status != http.StatusOK || o.Direct != 0 {
		return ""
	}
	if !reached(o, s.answer.Server) {
		return fmt.Sprintf("Envoy goes to %q, the simulator to %q %v", s.answer.Server, o.Cluster, o.Clusters)
	}
	candidates := []*simulate.Upstream{o.Upstream}
	if o.Upstream == nil {
		candidates = nil
		for _, w := range o.Clusters {
			if w.Name == s.answer.Server {
				candidates = append(candidates, w.Upstream)
			}
		}
	}
	diff := ""
	for _, u := range candidates {
		got := simulate.Upstream{Host: s.answer.Host, Path: s.answer.Path, Headers: comparable(s.answer.Headers)}
		want := simulate.Upstream{Host: u.Host, Path: u.Path, Headers: comparable(u.Headers)}
		if diff = cmp.Diff(want, got); diff == "" {
			return ""
		}
	}
	return "the upstream sees (-simulator +Envoy) " + diff
}

// comparable are the headers that an upstream sees, without what no simulator can know: random ids, what certificates hold but for their URIs,
// and traces; and without what says how long the body is, which is not about the request but about its way.
func comparable(seen map[string][]string) map[string][]string {
	headers := map[string][]string{}
	for name, values := range seen {
		switch name = strings.ToLower(name); {
		case name == "x-request-id":
			values = []string{"random"}
		case name == "x-forwarded-client-cert":
			values = []string{certificateDetails.ReplaceAllString(values[0], "")}
		case strings.HasPrefix(name, "x-b3-") || name == "traceparent" || name == "tracestate" || name == "content-length":
			continue
		}
		// The port that a client has is not known beforehand.
		if len(values) == 1 && withPort.MatchString(values[0]) {
			values = []string{"%DOWNSTREAM_REMOTE_ADDRESS%"}
		}
		headers[name] = values
	}
	return headers
}

var withPort = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+:[0-9]+$`)

var certificateDetails = regexp.MustCompile(`(By|Hash|Subject|Cert|DNS)=("[^"]*"|[^;,]*);?`)

func reached(o simulate.Outcome, server string) bool {
	return server == o.Cluster || slices.ContainsFunc(o.Clusters, func(w simulate.WeightedCluster) bool { return w.Name == server && w.Weight > 0 })
}
