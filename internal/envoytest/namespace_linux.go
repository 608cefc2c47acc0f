package envoytest

import (
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// proxyGroup is the group that Istio's proxies run in: its connections are not redirected. The user stays root, who can read every cache.
const proxyGroup = 1337

// Namespace is a Linux network namespace with the redirection that Istio sets up for a sidecar: connections to the pod's own addresses go to
// port 15006, all others to 15001, wherever they are made to. Loopback and the proxy's own connections are left alone. It ends with the test.
type Namespace struct{ work chan func() }

// NewNamespace makes a namespace for a pod with the addresses. The test fails if the machine does not allow it: root and the commands
// ip and iptables (Debian: iproute2, iptables) are needed.
func NewNamespace(t testing.TB, pod ...string) *Namespace {
	t.Helper()
	n := &Namespace{work: make(chan func())}
	made := make(chan error)
	go n.serve(made)
	if err := <-made; err != nil {
		t.Fatalf("no network namespace: %v (root is needed)", err)
	}
	t.Cleanup(func() { close(n.work) })
	rules := "-A OUTPUT -p tcp -m owner --gid-owner 1337 -j RETURN\n-A OUTPUT -p tcp -d 127.0.0.0/8 -j RETURN\n"
	commands := []string{"ip link set lo up"}
	for _, ip := range pod {
		commands = append(commands, "ip addr add "+ip+"/32 dev lo")
		rules += "-A OUTPUT -p tcp -d " + ip + " -j REDIRECT --to-ports 15006\n"
	}
	rules += "-A OUTPUT -p tcp -j REDIRECT --to-ports 15001\n"
	commands = append(commands, "ip route add default dev lo")
	for rule := range strings.Lines(rules) {
		commands = append(commands, "iptables -t nat "+strings.TrimSpace(rule))
	}
	for _, c := range commands {
		if err := n.run(strings.Fields(c)...); err != nil {
			t.Fatalf("%s: %v (Debian's packages iproute2 and iptables are needed)", c, err)
		}
	}
	return n
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
