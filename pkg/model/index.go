package model

import (
	"maps"
	"slices"
	"sync"

	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/model/gatewayapi"
	"github.com/meshc/meshc/pkg/model/resource"
)

// index holds what the mesh's questions need. Each table is built when first asked for, once.
type index struct {
	namespaces      func() *namespaceTable
	services        func() *serviceTable
	workloads       func() *workloadTable
	endpoints       func() *endpointTable
	entryTargets    func() map[string][]ServiceTarget
	gatewayAPI      func() *gatewayapi.Result
	gateways        func() *gatewayTable
	ownGateways     func() []resource.Of[*networking.Gateway]
	assumed         func() []assumedGateway
	proxies         func() []*Proxy
	virtualServices func() *virtualServiceTable
	rules           func() *ruleTable
	sidecars        func() sidecarTable
	peers           func() peerTable
	authorizations  func() authorizationTable
	requests        func() requestTable
	proxyConfigs    func() proxyConfigTable
	telemetries     func() telemetryTable
	scopes          sync.Map // scopeKey → func() *Scope

	decoder *resource.Decoder
	// givenProxies are those of the proxies file, where there is one.
	givenProxies []*Proxy
	proxiesGiven bool
}

// buildIndex prepares what the questions need. It runs last in Load, once resources and settings are there.
func (m *Mesh) buildIndex() {
	m.namespaces = sync.OnceValue(m.buildNamespaces)
	m.services = sync.OnceValue(m.buildServices)
	m.workloads = sync.OnceValue(m.buildWorkloads)
	m.endpoints = sync.OnceValue(m.buildEndpoints)
	m.entryTargets = sync.OnceValue(m.buildEntryTargets)
	m.gatewayAPI = sync.OnceValue(m.convertGatewayAPI)
	m.gateways = sync.OnceValue(m.buildGateways)
	m.ownGateways = sync.OnceValue(m.buildOwnGateways)
	m.assumed = sync.OnceValue(m.buildAssumedGateways)
	m.proxies = sync.OnceValue(m.buildProxies)
	m.virtualServices = sync.OnceValue(m.buildVirtualServices)
	m.rules = sync.OnceValue(m.buildRules)
	m.sidecars = sync.OnceValue(m.buildSidecars)
	m.peers = sync.OnceValue(m.buildPeers)
	m.authorizations = sync.OnceValue(m.buildAuthorizations)
	m.requests = sync.OnceValue(m.buildRequests)
	m.proxyConfigs = sync.OnceValue(m.buildProxyConfigs)
	m.telemetries = sync.OnceValue(m.buildTelemetries)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
