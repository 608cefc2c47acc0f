package reach

import (
	"strings"
)

// String says the condition in words, on one line.
func (c *Condition) String() string { return c.words(false) }

// Lines says it in words, a line for each of the conditions that must all hold.
func (c *Condition) Lines() []string {
	if c == nil {
		return nil
	}
	all := c.All
	if len(all) == 0 {
		all = []*Condition{c}
	}
	return conjuncts(all)
}

// conjuncts says each of the conditions; what policies write as ISSUER/SUBJECT, which is a claim iss together with a claim sub, is one.
func conjuncts(all []*Condition) []string {
	var lines []string
	for i := 0; i < len(all); i++ {
		if i+1 < len(all) && all[i].isClaim("iss") && all[i+1].isClaim("sub") {
			lines = append(lines, "request principal is "+all[i].Test.Values[0].words()+"/"+all[i+1].Test.Values[0].words())
			i++
			continue
		}
		lines = append(lines, all[i].words(len(all) > 1))
	}
	return lines
}

func (c *Condition) isClaim(name string) bool {
	return c.Test != nil && c.Test.Field == Claim && c.Test.Name == name && len(c.Test.Values) == 1
}

// words are in parentheses where they stand within others that would read otherwise.
func (c *Condition) words(inner bool) string {
	if c == nil {
		return "always"
	}
	switch {
	case c.Test != nil:
		return c.Test.words(false)
	case c.Not != nil && c.Not.Test != nil:
		return c.Not.Test.words(true)
	case c.Not != nil:
		return "not (" + c.Not.words(false) + ")"
	}
	parts, by := conjuncts(c.All), " and "
	if len(c.Any) > 0 {
		by = " or "
		for _, each := range c.Any {
			parts = append(parts, each.words(true))
		}
	}
	all := strings.Join(parts, by)
	if inner && len(parts) > 1 {
		all = "(" + all + ")"
	}
	return all
}

func (t *Test) words(negated bool) string {
	what, values := string(t.Field), t.Values
	switch t.Field {
	case Header:
		what = "header " + t.Name
	case Claim:
		what = "claim " + t.Name
	case ClaimElement:
		return t.verb("claim "+t.Name, "holds", "holds none of", "does not hold", negated)
	case ClaimOrElement:
		return t.verb("claim "+t.Name, "is or holds", "neither is nor holds any of", "neither is nor holds", negated)
	case Metadata:
		what = "metadata " + t.Name
	case SourceIP:
		return t.verb("the peer's address", "is in", "is in none of", "is not in", negated)
	case ClientIP:
		return t.verb("the client's address", "is in", "is in none of", "is not in", negated)
	case DestinationIP:
		return t.verb("the address called", "is in", "is in none of", "is not in", negated)
	case ServerName:
		what = "server name"
	case Principal:
		return t.principalWords(negated)
	}
	if len(values) == 1 && values[0].Match == Present {
		if negated {
			return what + " is missing"
		}
		return what + " is there"
	}
	return t.verb(what, "is", "is none of", "is not", negated)
}

func (t *Test) verb(what, is, noneOf, isNot string, negated bool) string {
	switch {
	case !negated:
		return what + " " + is + " " + or(t.Values, "anything")
	case len(t.Values) == 1:
		return what + " " + isNot + " " + or(t.Values, "anything")
	}
	return what + " " + noneOf + " " + list(t.Values, ", ")
}

func (t *Test) principalWords(negated bool) string {
	var parts []string
	for _, v := range t.Values {
		parts = append(parts, identityWords(v))
	}
	is := "the caller is "
	if negated {
		is = "the caller is not "
	}
	return is + strings.Join(parts, " or ")
}

func identityWords(v Value) string {
	if v.Match != Regex {
		return strings.TrimPrefix(v.words(), spiffe)
	}
	if v.Value == ".+" {
		return "anyone with an identity"
	}
	if account, ok := accountOf(v.Value); ok {
		return "service account " + account[0] + "/" + account[1]
	}
	if namespace, ok := namespaceOf(v.Value); ok {
		return "in namespace " + namespace
	}
	if domain, ok := domainOf(v.Value); ok {
		return "of trust domain " + domain
	}
	return strings.TrimPrefix(unquoted(v.Value), spiffe)
}

func or(values []Value, any string) string {
	if len(values) == 1 && (values[0].Match == Present || values[0].Match == Regex && values[0].Value == ".+") {
		return any
	}
	if len(values) < 2 {
		return list(values, "")
	}
	return list(values[:len(values)-1], ", ") + " or " + values[len(values)-1].words()
}

func list(values []Value, by string) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = v.words()
	}
	return strings.Join(words, by)
}

// words are in the form in which policies write values.
func (v Value) words() string {
	switch v.Match {
	case Prefix:
		return v.Value + "*"
	case Suffix:
		return "*" + v.Value
	case Contains:
		return "*" + v.Value + "*"
	case Regex:
		if v.Value == ".+" {
			return "*"
		}
		return "regex " + v.Value
	case Template:
		return strings.NewReplacer("**", "{**}", "*", "{*}").Replace(v.Value)
	case Present:
		return "*"
	}
	if v.Value == "" {
		return `""`
	}
	return v.Value
}

// String names the policy and the place of the rule in it.
func (r Rule) String() string {
	name := r.Resource.Name
	if r.Resource.Namespace != "" {
		name = r.Resource.Namespace + "/" + name
	}
	words := strings.TrimSpace(r.Resource.Kind + " " + name)
	if strings.HasPrefix(r.Path, "spec.") {
		words += " " + r.Path
	}
	return words
}
