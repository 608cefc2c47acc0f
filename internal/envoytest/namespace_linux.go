package envoytest

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// proxyGroup is the group that Istio's proxies run in: its connections are not redirected. The user stays root, who can read every cache.
const proxyGroup = 1337

// Namespace is a Linux network namespace with the redirection that Istio sets up for a sidecar: connections to the pod's own addresses go to
// port 15006, from within and from without, all others to 15001, wherever they are made to. Loopback and the proxy's own connections are left alone. It ends with the test.
type Namespace struct{ work chan func() }

// NewNamespace makes a namespace for a pod with the addresses. The test fails if the machine does not allow it: root and the commands
// ip and iptables (Debian: iproute2, iptables) are needed.
func NewNamespace(t testing.TB, pod ...string) *Namespace {
	t.Helper()
	n := NewPlainNamespace(t, pod...)
	rules := "-A OUTPUT -p tcp -m owner --gid-owner 1337 -j RETURN\n-A OUTPUT -p tcp -d 127.0.0.0/8 -j RETURN\n"
	for _, ip := range pod {
		rules += "-A OUTPUT -p tcp -d " + ip + " -j REDIRECT --to-ports 15006\n"
	}
	rules += "-A OUTPUT -p tcp -j REDIRECT --to-ports 15001\n-A PREROUTING -p tcp -j REDIRECT --to-ports 15006\n"
	for rule := range strings.Lines(rules) {
		n.command(t, "iptables -w -t nat "+strings.TrimSpace(rule))
	}
	return n
}

// NewHost makes a namespace without redirection in which every IPv4 address is its own, so that whatever a gateway listens on can be called.
func NewHost(t testing.TB, address string) *Namespace {
	t.Helper()
	n := NewPlainNamespace(t, address)
	n.command(t, "ip route add local 0.0.0.0/0 dev lo")
	return n
}

// NewPlainNamespace makes a namespace with the addresses and without any redirection, as that of a gateway or of a client outside the mesh.
func NewPlainNamespace(t testing.TB, addresses ...string) *Namespace {
	t.Helper()
	n := &Namespace{work: make(chan func())}
	made := make(chan error)
	go n.serve(made)
	if err := <-made; err != nil {
		t.Fatalf("no network namespace: %v (root is needed)", err)
	}
	t.Cleanup(func() { close(n.work) })
	n.command(t, "ip link set lo up")
	n.AddAddresses(t, addresses...)
	n.command(t, "ip route add default dev lo")
	return n
}

// AddAddresses gives the namespace further addresses of its own, from which clients in it can call (see DialFrom).
func (n *Namespace) AddAddresses(t testing.TB, addresses ...string) {
	t.Helper()
	for _, ip := range addresses {
		n.command(t, "ip addr add "+ip+"/32 dev lo")
	}
}

// Link joins two namespaces by a cable over which each reaches the address of the other.
func Link(t testing.TB, a *Namespace, addressOfA string, b *Namespace, addressOfB string) {
	t.Helper()
	thread := 0
	if err := b.Do(func() error { thread = syscall.Gettid(); return nil }); err != nil {
		t.Fatal(err)
	}
	there := fmt.Sprintf("/proc/%d/task/%d/ns/net", os.Getpid(), thread)
	// Names are unique within a namespace by the address at the other end.
	toB, toA := "to"+hexOf(t, addressOfB), "to"+hexOf(t, addressOfA)
	a.command(t, fmt.Sprintf("ip link add %s type veth peer name %s netns %s", toB, toA, there))
	for _, end := range []struct {
		in              *Namespace
		name, own, peer string
	}{{a, toB, addressOfA, addressOfB}, {b, toA, addressOfB, addressOfA}} {
		end.in.command(t, fmt.Sprintf("ip addr add %s/32 dev %s", end.own, end.name))
		end.in.command(t, fmt.Sprintf("ip link set %s up", end.name))
		end.in.command(t, fmt.Sprintf("ip route add %s/32 dev %s src %s", end.peer, end.name, end.own))
	}
}

func hexOf(t testing.TB, address string) string {
	t.Helper()
	ip, err := netip.ParseAddr(address)
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(ip.AsSlice())
}

// command runs a command in the namespace; the test fails if it does.
func (n *Namespace) command(t testing.TB, command string) {
	t.Helper()
	if err := n.run(strings.Fields(command)...); err != nil {
		t.Fatalf("%s: %v (Debian's packages iproute2 and iptables are needed)", command, err)
	}
}

// serve does work on a thread that is in the namespace, and gives the thread up in the end: it must not run anything else.
func (n *Namespace) serve(made chan error) {
	runtime.LockOSThread()
	err := syscall.Unshare(syscall.CLONE_NEWNET)
	made <- err
	if err != nil {
		return
	}
	for do := range n.work {
		do()
	}
}

// Do runs a function in the namespace: sockets that it opens itself and processes that it starts are there.
func (n *Namespace) Do(f func() error) error {
	done := make(chan error, 1)
	n.work <- func() { done <- f() }
	return <-done
}

func (n *Namespace) run(command ...string) error {
	return n.Do(func() error {
		out, err := exec.Command(command[0], command[1:]...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w\n%s", err, out)
		}
		return nil
	})
}

// Start starts a process in the namespace with the proxy's group.
func (n *Namespace) Start(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Gid: proxyGroup}}
	return n.Do(cmd.Start)
}
