package yardstick

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"

	"sigs.k8s.io/yaml"
)

// Kind is a kind of resource that xDS sends.
type Kind string

// The kinds, named as the files of a world are.
const (
	Listeners Kind = "listeners"
	Routes    Kind = "routes"
	Clusters  Kind = "clusters"
	Endpoints Kind = "endpoints"
)

// Kinds returns all kinds.
func Kinds() []Kind { return []Kind{Listeners, Routes, Clusters, Endpoints} }

// Verdict is how a resource compares with istiod's.
type Verdict string

const (
	// Equal resources say the same.
	Equal Verdict = "equal"
	// Meant resources differ in nothing but what is Intended.
	Meant Verdict = "intended"
	// Differs: both sides have the resource, with another content.
	Differs Verdict = "differs"
	// Missing: istiod has it alone.
	Missing Verdict = "missing"
	// Extra: meshc has it alone.
	Extra Verdict = "extra"
)

// Result is the verdict on one resource.
type Result struct {
	World, Proxy string
	Kind         Kind
	Name         string
	Verdict      Verdict
	// Paths are where the two differ, KIND.field.field[] each.
	Paths []string
	// Reasons are why what differs is meant to, one for each entry of Intended that was asked.
	Reasons []string
}

// String is one line for a log.
func (r Result) String() string {
	s := fmt.Sprintf("%s %s %s %s: %s", r.World, r.Proxy, r.Kind, r.Name, r.Verdict)
	for _, p := range r.Paths[:min(3, len(r.Paths))] {
		s += "\n\t" + p
	}
	return s
}

// Intended are differences that are meant.
type Intended []Intention

// Intention is one kind of difference that is meant.
type Intention struct {
	// Path is a regular expression for the whole of a path, as in Result.Paths, or for KIND.NAME of a missing or extra resource.
	Path string `json:"path"`
	// Reason tells why meshc does not do as istiod.
	Reason string `json:"reason"`

	pattern *regexp.Regexp
}

// ReadIntended reads a YAML list of intentions; each must have a path and a reason.
func ReadIntended(path string) (Intended, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var out Intended
	if err := yaml.UnmarshalStrict(text, &out); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for i := range out {
		if out[i].Path == "" || out[i].Reason == "" {
			return nil, fmt.Errorf("%s: entry %d lacks a path or a reason", path, i+1)
		}
		if out[i].pattern, err = regexp.Compile("^(?:" + out[i].Path + ")$"); err != nil {
			return nil, fmt.Errorf("%s: entry %d: %w", path, i+1, err)
		}
	}
	return out, nil
}

// reasons returns why the paths are meant to differ; ok is false where one of them is not.
func (in Intended) reasons(paths ...string) (reasons []string, ok bool) {
	for _, p := range paths {
		i := slices.IndexFunc(in, func(x Intention) bool { return x.pattern.MatchString(p) })
		if i < 0 {
			return nil, false
		}
		reasons = append(reasons, in[i].Reason)
	}
	slices.Sort(reasons)
	return slices.Compact(reasons), true
}

// compare judges all resources of a proxy, ordered by kind and name.
func compare(want, got resources, intended Intended) []Result {
	var out []Result
	for _, kind := range Kinds() {
		names := map[string]bool{}
		for name := range want[kind] {
			names[name] = true
		}
		for name := range got[kind] {
			names[name] = true
		}
		for _, name := range slices.Sorted(maps.Keys(names)) {
			r := Result{Kind: kind, Name: name, Verdict: Equal}
			w, wanted := want[kind][name]
			g, there := got[kind][name]
			asked := []string{string(kind) + "." + name}
			switch {
			case !there:
				r.Verdict = Missing
			case !wanted:
				r.Verdict = Extra
			default:
				if r.Paths = differences(w, g, string(kind)); len(r.Paths) > 0 {
					r.Verdict, asked = Differs, r.Paths
				}
			}
			if r.Verdict != Equal {
				if reasons, ok := intended.reasons(asked...); ok {
					r.Verdict, r.Reasons = Meant, reasons
				}
			}
			out = append(out, r)
		}
	}
	return out
}

// Tally counts the verdicts on resources of one kind.
type Tally map[Verdict]int

// Total is the number of resources that either side has.
func (t Tally) Total() int {
	sum := 0
	for _, n := range t {
		sum += n
	}
	return sum
}

// Good is the number of those that are as they should be.
func (t Tally) Good() int { return t[Equal] + t[Meant] }

// String is one line for a log.
func (t Tally) String() string {
	return fmt.Sprintf("%d of %d as they should be (%d equal, %d intended); %d differ, %d missing, %d extra",
		t.Good(), t.Total(), t[Equal], t[Meant], t[Differs], t[Missing], t[Extra])
}

// Tallies counts results by kind. Every kind is there.
func Tallies(results []Result) map[Kind]Tally {
	out := map[Kind]Tally{}
	for _, kind := range Kinds() {
		out[kind] = Tally{}
	}
	for _, r := range results {
		out[r.Kind][r.Verdict]++
	}
	return out
}
