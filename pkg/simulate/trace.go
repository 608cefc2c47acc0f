package simulate

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/meshc/meshc/pkg/diag"
)

// Stage names a step of the walk.
type Stage string

const (
	StageListener    Stage = "listener"
	StageFilterChain Stage = "filter chain"
	StageTLS         Stage = "tls"
	StageFilter      Stage = "filter"
	StageRequest     Stage = "request"
	StageVirtualHost Stage = "virtual host"
	StageRoute       Stage = "route"
	StageCluster     Stage = "cluster"
)

// Step is one step of a call's way: what was decided and why, and the YAML behind it.
type Step struct {
	Stage   Stage    `json:"step"`
	Reason  string   `json:"reason"`
	Sources []Source `json:"sources,omitempty"`
}

// Source is a place in the YAML that shaped the part of the configuration which decided a step.
type Source struct {
	Resource diag.Resource `json:"resource"`
	Path     string        `json:"path"`
	Location diag.Location `json:"location"`
}

// step records a step; it costs nothing unless the call is to be explained. Parts are the messages that decided.
func (w *walk) step(stage Stage, parts []proto.Message, format string, args ...any) {
	if !w.explaining {
		return
	}
	s := Step{Stage: stage, Reason: fmt.Sprintf(format, args...)}
	for _, part := range parts {
		for _, from := range w.sim.cfg.Sources.Of(part) {
			s.Sources = append(s.Sources, Source{Resource: from.Resource.Ref(), Path: from.Path, Location: from.Location()})
		}
	}
	w.out.Trace = append(w.out.Trace, s)
}

// by lists the messages that decided a step.
func by(parts ...proto.Message) []proto.Message { return parts }
