package reach_test

import (
	"encoding/json"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/meshc/meshc/pkg/reach"
	"github.com/meshc/meshc/pkg/simulate"
)

// seen is a call as the policies of its destination see it: what conditions are evaluated on, from their exported fields alone. It is written
// apart from the code that makes conditions, as a reader of the JSON would write it.
type seen struct {
	*simulate.Call
	headers     map[string]string
	claims      map[string]any
	identity    string
	destination string
}

func see(c *simulate.Call, identity, destination string) *seen {
	s := &seen{Call: c, headers: map[string]string{}, identity: identity, destination: destination}
	for name, value := range c.Headers {
		s.headers[strings.ToLower(name)] = strings.Trim(value, " \t")
	}
	if len(c.Claims) > 0 && s.headers["authorization"] == "" {
		s.headers["authorization"] = "Bearer token"
	}
	for name, value := range map[string]string{"x-forwarded-proto": "http", "x-request-id": "any"} {
		if _, ok := s.headers[name]; !ok {
			s.headers[name] = value
		}
	}
	if c.TLS != simulate.Plaintext && c.Headers["x-forwarded-proto"] == "" {
		s.headers["x-forwarded-proto"] = "https"
	}
	return s
}

// passes tells whether the call gets through by the answer.
func (s *seen) passes(a *reach.Answer) bool {
	for _, step := range a.Steps {
		if step.Refuses {
			return false
		}
		switch step.Action {
		case reach.ActionToken:
			if !s.readToken(step) {
				return false
			}
		case reach.ActionDeny:
			if s.anyHolds(step.Rules) {
				return false
			}
		case reach.ActionAllow, reach.ActionTLS:
			if !s.anyHolds(step.Rules) {
				return false
			}
		}
	}
	return true
}

func (s *seen) anyHolds(rules []reach.Rule) bool {
	return slices.ContainsFunc(rules, func(r reach.Rule) bool { return s.holds(r.When) })
}

// readToken finds a rule that takes the token, which stands in the Authorization header.
func (s *seen) readToken(step reach.Step) bool {
	looking := slices.DeleteFunc(slices.Clone(step.Tokens), func(t reach.TokenRule) bool {
		return len(t.From) > 0 && !slices.ContainsFunc(t.From, func(from string) bool { return strings.EqualFold(from, "header authorization") })
	})
	if bears := len(s.Claims) > 0 || strings.HasPrefix(s.headers["authorization"], "Bearer "); !bears || len(looking) == 0 {
		return !step.Required
	}
	i := slices.IndexFunc(looking, func(t reach.TokenRule) bool {
		return len(s.Claims) > 0 && s.Claims["iss"] == t.Issuer && (len(t.Audiences) == 0 || meantFor(s.Claims["aud"], t.Audiences))
	})
	if i < 0 {
		return false
	}
	s.claims = s.Claims
	return true
}

func meantFor(audience any, wanted []string) bool {
	if list, ok := audience.([]any); ok {
		return slices.ContainsFunc(list, func(one any) bool { return meantFor(one, wanted) })
	}
	one, ok := audience.(string)
	return ok && slices.Contains(wanted, one)
}

func (s *seen) holds(c *reach.Condition) bool {
	switch {
	case c == nil:
		return true
	case c.Not != nil:
		return !s.holds(c.Not)
	case c.Test != nil:
		return s.meets(c.Test)
	case len(c.All) > 0:
		return !slices.ContainsFunc(c.All, func(each *reach.Condition) bool { return !s.holds(each) })
	}
	return slices.ContainsFunc(c.Any, s.holds)
}

func (s *seen) meets(t *reach.Test) bool {
	var values []any
	add := func(v string, there bool) {
		if there {
			values = append(values, v)
		}
	}
	switch t.Field {
	case reach.Method:
		add(s.Method, true)
	case reach.Path:
		p, _, _ := strings.Cut(s.Path, "?")
		if strings.Contains(p, "/.") {
			p = path.Clean(p)
		}
		add(p, true)
	case reach.Host:
		add(s.Host, true)
	case reach.Header:
		v, ok := s.headers[t.Name]
		add(v, ok)
	case reach.Principal:
		add(s.identity, s.identity != "")
	case reach.SourceIP:
		add(s.SourceIP, true)
	case reach.ClientIP:
		add(s.client(), true)
	case reach.DestinationIP:
		add(s.destination, true)
	case reach.Port:
		add(strconv.Itoa(int(s.Port)), true)
	case reach.ServerName:
		add(strings.ToLower(s.SNI), true)
	case reach.Claim, reach.ClaimElement, reach.ClaimOrElement:
		values = s.claim(t)
	}
	return slices.ContainsFunc(t.Values, func(v reach.Value) bool {
		return slices.ContainsFunc(values, func(value any) bool { return matches(v, value) })
	})
}

func (s *seen) client() string {
	if s.Protocol != simulate.TCP && s.headers["x-forwarded-for"] != "" {
		all := strings.Split(s.headers["x-forwarded-for"], ",")
		if last := strings.TrimSpace(all[len(all)-1]); isAddress(last) {
			return last
		}
	}
	return s.SourceIP
}

func isAddress(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

func (s *seen) claim(t *reach.Test) []any {
	if s.claims == nil {
		return nil
	}
	var value any = s.claims
	for key := range strings.SplitSeq(t.Name, ".") {
		object, _ := value.(map[string]any)
		var ok bool
		if value, ok = object[key]; !ok {
			return nil
		}
	}
	if word, ok := value.(string); ok && (t.Name == "scope" || t.Name == "permission") {
		// The filter reads these as lists of words.
		var words []any
		for _, w := range strings.Fields(word) {
			words = append(words, w)
		}
		value = words
	}
	list, isList := value.([]any)
	switch {
	case t.Field == reach.Claim:
		return []any{value}
	case isList:
		return list
	case t.Field == reach.ClaimOrElement:
		return []any{value}
	}
	return nil
}

func matches(v reach.Value, value any) bool {
	if v.Match == reach.Present {
		return true
	}
	if v.Match == reach.JSON {
		text, err := json.Marshal(value)
		return err == nil && string(text) == v.Value
	}
	s, ok := value.(string)
	if !ok {
		return false
	}
	want := v.Value
	if v.IgnoreCase {
		s, want = strings.ToLower(s), strings.ToLower(want)
	}
	switch v.Match {
	case reach.Exact:
		return s == want
	case reach.Prefix:
		return strings.HasPrefix(s, want)
	case reach.Suffix:
		return strings.HasSuffix(s, want)
	case reach.Contains:
		return strings.Contains(s, want)
	case reach.Regex:
		return regexp.MustCompile(`\A(?:` + want + `)\z`).MatchString(s)
	case reach.Template:
		return segments(strings.Split(want, "/"), strings.Split(s, "/"))
	case reach.Block:
		ip, err := netip.ParseAddr(s)
		return err == nil && netip.MustParsePrefix(want).Contains(ip.Unmap())
	}
	return false
}

// segments matches a path by a template, segment by segment: * is one that is not empty, ** any rest; both may have text around them.
func segments(template, path []string) bool {
	switch {
	case len(template) == 0:
		return len(path) == 0
	case strings.Contains(template[0], "**"):
		before, after, _ := strings.Cut(template[0], "**")
		rest, tail := strings.Join(path, "/"), strings.Join(append([]string{after}, template[1:]...), "/")
		return len(path) > 0 && strings.HasPrefix(rest, before) && strings.HasSuffix(rest[len(before):], tail)
	case len(path) == 0:
		return false
	}
	before, after, star := strings.Cut(template[0], "*")
	if star && !(len(path[0]) > len(before)+len(after) && strings.HasPrefix(path[0], before) && strings.HasSuffix(path[0], after)) || !star && path[0] != before {
		return false
	}
	return segments(template[1:], path[1:])
}
