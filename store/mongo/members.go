package mongo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"

	"github.com/lanyardctl/lanyardctl/internal/handshake"
	"github.com/lanyardctl/lanyardctl/internal/redact"
)

// members is what the driver's heartbeats tell of each server. The driver itself forgets a server that does not fit the
// URI, and with it the reason.
type members struct {
	set    string            // the replica set that the URI asks for; empty for any
	client *handshake.Client // nil where the URI does not ask for TLS

	answered atomic.Bool // a server has answered a heartbeat

	mu   sync.Mutex
	last map[string]heartbeat // by host:port
}

// heartbeat is a server's last answer to the driver.
type heartbeat struct {
	failure error
	set     string // the replica set that it is in; empty for none
	kind    string // as the driver names it: "RSSecondary"
}

// watch makes o tell the returned members of each heartbeat.
func watch(o *options.ClientOptions) *members {
	m := &members{last: make(map[string]heartbeat)}
	if o.TLSConfig != nil {
		m.client = handshake.Watch(o.TLSConfig)
	} else {
		o.SetDialer(&plainDialer{})
	}
	if o.ReplicaSet != nil {
		m.set = *o.ReplicaSet
	}
	o.SetServerMonitor(&event.ServerMonitor{
		ServerHeartbeatSucceeded: func(e *event.ServerHeartbeatSucceededEvent) {
			m.answered.Store(true)
			m.enter(e.ConnectionID, heartbeat{set: e.Reply.SetName, kind: e.Reply.Kind})
		},
		ServerHeartbeatFailed: func(e *event.ServerHeartbeatFailedEvent) {
			if !errors.Is(e.Failure, context.Canceled) { // the driver broke it off, which says nothing of the server
				m.enter(e.ConnectionID, heartbeat{failure: e.Failure})
			}
		},
	})
	return m
}

// enter takes a heartbeat on a connection, which is named "host:port[-5]".
func (m *members) enter(connection string, h heartbeat) {
	addr := connection
	if i := strings.LastIndex(connection, "["); i > 0 {
		addr = connection[:i]
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last[addr] = h
}

// of returns the last heartbeat of a server. It reports false where there was none.
func (m *members) of(addr string) (heartbeat, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	h, ok := m.last[addr]
	return h, ok
}

// whyNone says of each server why the driver could not select it, and returns the first reason that is about TLS, if
// any, and whether the name of a host is unknown.
func (m *members) whyNone(e topology.ServerSelectionError) (text string, aboutTLS error, unknown bool) {
	why := make(map[string]string)
	for _, s := range e.Desc.Servers {
		why[s.Addr.String()] = "no answer so far"
	}
	m.mu.Lock()
	failures := make(map[string]error)
	for addr, h := range m.last {
		why[addr], failures[addr] = m.why(h), h.failure
	}
	m.mu.Unlock()
	for _, s := range e.Desc.Servers {
		if addr := s.Addr.String(); s.LastError != nil && (failures[addr] == nil || !errors.Is(s.LastError, context.Canceled)) {
			why[addr], failures[addr] = m.whyFailed(s.LastError), s.LastError
		}
	}
	if len(why) == 0 {
		return "the URI leads to no server", nil, false
	}
	var texts []string
	for _, addr := range slices.Sorted(maps.Keys(why)) {
		if _, reason := m.tlsReason(failures[addr]); reason != nil && aboutTLS == nil {
			aboutTLS = reason
		}
		unknown = unknown || isUnknown(failures[addr])
		texts = append(texts, addr+": "+why[addr])
	}
	return strings.Join(texts, "; "), aboutTLS, unknown
}

// why says why a server with the heartbeat is not selected.
func (m *members) why(h heartbeat) string {
	switch {
	case h.failure != nil:
		return m.whyFailed(h.failure)
	case m.set != "" && h.set == "":
		return "is in no replica set, and the URI asks for " + m.set
	case m.set != "" && h.set != m.set:
		return fmt.Sprintf("is member of set %s, not %s", h.set, m.set)
	}
	switch h.kind {
	case "RSPrimary", "Standalone", "Mongos":
		return "answers again"
	case "RSSecondary":
		return "is a secondary, and the set has no primary"
	case "RSArbiter":
		return "is an arbiter"
	}
	return "is no primary"
}

// whyFailed says in a few words why the driver could not speak to a server.
func (m *members) whyFailed(err error) string {
	detail, reason := m.tlsReason(err)
	switch {
	case reason != nil && detail != "":
		return reason.Error() + ": " + detail
	case reason != nil:
		return reason.Error()
	case isUnknown(err):
		return ErrNoHost.Error()
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case handshake.Ended(err):
		return "it ended the connection"
	case mongo.IsTimeout(err):
		return "no answer in time"
	}
	return redact.HideURIs(err.Error())
}

// isUnknown tells whether the name of a host could not be found.
func isUnknown(err error) bool {
	lookup, ok := errors.AsType[*net.DNSError](err)
	return ok && lookup.IsNotFound
}

// heartbeatWait is how long the first heartbeats of a set's members are waited for. One that is down refuses at once or
// never answers. Tests on a busy machine wait longer.
var heartbeatWait = time.Second

// heartbeatPoll is how often it is looked whether a first heartbeat has come.
const heartbeatPoll = 50 * time.Millisecond

// membersDown returns the members of the replica set that cannot do their part, each with the reason. The set itself says
// so to a user who may ask; to others the driver's heartbeats do.
func (s *Store) membersDown(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(ctx, heartbeatWait)
	defer cancel()
	var status struct {
		Members []struct {
			Name     string  `bson:"name"`
			StateStr string  `bson:"stateStr"`
			Health   float64 `bson:"health"`
		} `bson:"members"`
	}
	var down []string
	err := s.client.Database("admin").RunCommand(ctx, bson.D{{Key: "replSetGetStatus", Value: 1}}).Decode(&status)
	if err == nil && len(status.Members) > 0 {
		for _, m := range status.Members {
			if healthy := m.StateStr == "PRIMARY" || m.StateStr == "SECONDARY" || m.StateStr == "ARBITER"; !healthy || m.Health == 0 {
				down = append(down, fmt.Sprintf("%s (%s)", m.Name, cmp.Or(m.StateStr, "no answer")))
			}
		}
		return down
	}
	if s.direct {
		return nil // the driver asks one server alone
	}
	for _, addr := range s.hosts {
		h, known := s.members.of(addr)
		for ; !known && ctx.Err() == nil; h, known = s.members.of(addr) {
			select {
			case <-ctx.Done():
			case <-time.After(heartbeatPoll):
			}
		}
		switch {
		case !known:
			down = append(down, addr+" (no answer so far)")
		case h.failure != nil:
			down = append(down, fmt.Sprintf("%s (%s)", addr, s.members.whyFailed(h.failure)))
		case h.kind == "RSOther" || h.kind == "RSGhost":
			down = append(down, addr+" (not ready)")
		}
	}
	return down
}
