package model

import (
	"slices"

	telemetry "istio.io/api/telemetry/v1alpha1"

	"github.com/meshc/meshc/pkg/model/resource"
)

// AccessLog says that a provider logs, on which condition, or that it does not.
type AccessLog struct {
	// Provider is the name as the Telemetry or MeshConfig writes it.
	Provider string
	Disabled bool
	// Filter is the condition, nil for none.
	Filter  *telemetry.AccessLogging_Filter
	Sources []resource.Source
}

// logEntry is one element of accessLogging.
type logEntry struct {
	spec   *telemetry.AccessLogging
	source resource.Source
}

// AccessLogs returns the logs for traffic seen as client or as server, ordered by provider. given is false where neither a Telemetry nor a
// default provider speaks of access logs, so that MeshConfig.accessLogFile decides.
func (t *Telemetry) AccessLogs(mode telemetry.WorkloadMode) (logs []AccessLog, given bool) {
	defaults := t.settings.Mesh.GetDefaultProviders().GetAccessLogging()
	levels := t.loggingLevels()
	if len(levels) == 0 {
		source := t.settings.Source("defaultProviders.accessLogging")
		for _, name := range slices.Compact(slices.Sorted(slices.Values(defaults))) {
			logs = append(logs, AccessLog{Provider: name, Sources: []resource.Source{source}})
		}
		return logs, len(defaults) > 0
	}
	inScope, chosen := providersInScope(levels, defaults, mode)
	merged := map[string]AccessLog{}
	parent := defaults
	for _, level := range levels {
		for _, entry := range level {
			// An entry without providers speaks of those of the entry before it, whatever traffic that was for.
			if names := providerNames(entry.spec.GetProviders()); len(names) > 0 {
				parent = names
			}
			if !inMode(entry.spec.GetMatch().GetMode(), mode) {
				continue
			}
			for _, name := range parent {
				switch {
				case !inScope[name]:
				case entry.spec.GetDisabled().GetValue():
					merged[name] = AccessLog{Provider: name, Disabled: true, Sources: []resource.Source{entry.source}}
				default:
					log := AccessLog{Provider: name, Sources: []resource.Source{entry.source}}
					if from := chosen[name]; from != nil {
						log.Filter = from.spec.GetFilter()
						if from.source != entry.source {
							log.Sources = append(log.Sources, from.source)
						}
					}
					merged[name] = log
				}
			}
		}
	}
	for _, name := range sortedKeys(merged) {
		logs = append(logs, merged[name])
	}
	return logs, true
}

// loggingLevels are the access logging sections of the resources that have one.
func (t *Telemetry) loggingLevels() [][]logEntry {
	var levels [][]logEntry
	for _, r := range t.From {
		var level []logEntry
		for i, spec := range r.Spec.GetAccessLogging() {
			level = append(level, logEntry{spec, r.At(resource.Index("spec.accessLogging", i))})
		}
		if len(level) > 0 {
			levels = append(levels, level)
		}
	}
	return levels
}

// providersInScope are those of the last level that names any, else the mesh's defaults; chosen holds, by provider, the last entry that
// names it, whose filter counts.
func providersInScope(levels [][]logEntry, defaults []string, mode telemetry.WorkloadMode) (inScope map[string]bool, chosen map[string]*logEntry) {
	inScope, chosen = map[string]bool{}, map[string]*logEntry{}
	for _, name := range defaults {
		inScope[name] = true
	}
	for _, level := range levels {
		named := map[string]bool{}
		for i := range level {
			if !inMode(level[i].spec.GetMatch().GetMode(), mode) {
				continue
			}
			for _, name := range providerNames(level[i].spec.GetProviders()) {
				named[name] = true
				chosen[name] = &level[i]
			}
		}
		if len(named) > 0 {
			inScope = named
		}
	}
	return inScope, chosen
}
