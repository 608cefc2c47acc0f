package envoytest

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// startLimit bounds how long a started Envoy may take to become ready.
const startLimit = 30 * time.Second

// Envoy is a running Envoy. It ends with the test.
type Envoy struct {
	// Admin is the address of the admin interface, HOST:PORT.
	Admin string

	listeners map[string]string
	log       *logBuffer
	network   Network
}

// Start runs Envoy with the bootstrap, rewritten for loopback as opts say, and returns once it is ready (admin /ready says LIVE). The
// test fails if that takes more than half a minute or if Envoy ends before.
func Start(t testing.TB, bootstrap []byte, opts Options) *Envoy {
	t.Helper()
	rewritten, err := rewrite(bootstrap, opts)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config, admin := filepath.Join(dir, "bootstrap.json"), filepath.Join(dir, "admin")
	if err := os.WriteFile(config, rewritten, 0o600); err != nil {
		t.Fatal(err)
	}
	e := &Envoy{log: &logBuffer{}, network: opts.network()}
	cmd := exec.Command(Binary(t), "-c", config, "--admin-address-path", admin, "--disable-hot-restart", "--concurrency", "1", "--log-level", "warning")
	cmd.Stdout, cmd.Stderr = e.log, e.log
	if err := e.network.Start(cmd); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { stop(cmd, ended) })
	e.await(t, admin, ended)
	e.readListeners(t)
	return e
}

func stop(cmd *exec.Cmd, ended chan error) {
	// An Envoy that has ended already cannot be signalled; then its end is in the channel.
	_ = cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		_ = cmd.Process.Kill()
		<-ended
	}
}

// await polls until Envoy is ready.
func (e *Envoy) await(t testing.TB, adminFile string, ended chan error) {
	t.Helper()
	deadline := time.After(startLimit)
	state := "not listening"
	for {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("Envoy ended while starting: %v\n%s", err, e.Log())
		case <-deadline:
			t.Fatalf("Envoy is %q after %v\n%s", state, startLimit, e.Log())
		case <-time.After(20 * time.Millisecond):
		}
		if e.Admin == "" {
			address, err := os.ReadFile(adminFile)
			if err != nil || len(address) == 0 {
				continue
			}
			e.Admin = string(address)
		}
		body, err := e.get("/ready")
		if err != nil {
			state = err.Error()
			continue
		}
		if state = strings.TrimSpace(string(body)); state == "LIVE" {
			return
		}
	}
}

func (e *Envoy) get(path string) ([]byte, error) {
	transport := &http.Transport{DisableKeepAlives: true, Dial: func(_, address string) (net.Conn, error) { return Dial(e.network, address) }}
	client := http.Client{Timeout: 5 * time.Second, Transport: transport}
	r, err := client.Get("http://" + e.Admin + path)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	return io.ReadAll(r.Body)
}

// Get asks the admin interface: /config_dump, /clusters?format=json, /stats.
func (e *Envoy) Get(t testing.TB, path string) []byte {
	t.Helper()
	body, err := e.get(path)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func (e *Envoy) readListeners(t testing.TB) {
	t.Helper()
	var answer struct {
		Statuses []struct {
			Name    string `json:"name"`
			Address struct {
				Socket struct {
					Address string `json:"address"`
					Port    int    `json:"port_value"`
				} `json:"socket_address"`
			} `json:"local_address"`
		} `json:"listener_statuses"`
	}
	if err := json.Unmarshal(e.Get(t, "/listeners?format=json"), &answer); err != nil {
		t.Fatal(err)
	}
	e.listeners = map[string]string{}
	for _, s := range answer.Statuses {
		e.listeners[s.Name] = net.JoinHostPort(s.Address.Socket.Address, strconv.Itoa(s.Address.Socket.Port))
	}
}

// Address returns where a listener really listens, HOST:PORT. The test fails if there is no such listener.
func (e *Envoy) Address(t testing.TB, listener string) string {
	t.Helper()
	address, ok := e.listeners[listener]
	if !ok {
		t.Fatalf("Envoy has no listener %q among %v", listener, e.listeners)
	}
	return address
}

// Log returns what Envoy has written so far.
func (e *Envoy) Log() string { return e.log.String() }

// logBuffer is written by Envoy's output while the test reads it.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
