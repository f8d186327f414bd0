package dynamoserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Fault is what a [Proxy] does with a request.
type Fault string

// The faults. All but the last five are what DynamoDB answers, by its type there, without carrying the request out.
const (
	None       Fault = ""
	Throttled  Fault = "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"
	Limited    Fault = "com.amazonaws.dynamodb.v20120810#RequestLimitExceeded"
	Throttling Fault = "com.amazon.coral.availability#ThrottlingException"
	Expired    Fault = "com.amazon.coral.service#ExpiredTokenException"
	Denied     Fault = "com.amazon.coral.service#AccessDeniedException"

	Unavailable Fault = "503"        // for a moment
	Page        Fault = "502"        // a load balancer answers with a page for people
	CutBefore   Fault = "cut before" // the connection ends without an answer, and nothing is carried out
	CutAfter    Fault = "cut after"  // the request is carried out, and the connection ends without an answer
	Half        Fault = "half"       // of a batch, half is carried out, and the rest returned as unprocessed; another request passes
)

// messages are DynamoDB's, by the fault.
var messages = map[Fault]string{
	Throttled:  "The level of configured provisioned throughput for the table was exceeded. Consider increasing your provisioning level with the UpdateTable API.",
	Limited:    "Throughput exceeds the current throughput limit for your account.",
	Throttling: "Rate of requests exceeds the allowed throughput.",
	Expired:    "The security token included in the request is expired",
	Denied:     "User: arn:aws:iam::000000000000:user/bot is not authorized to perform this action",
}

// Call is a request that a [Proxy] was sent.
type Call struct {
	N         int // of the proxy, from 0
	At        time.Time
	Operation string // "Scan"
	Body      []byte // as sent, JSON
	Fault     Fault
	Units     float64 // of capacity, as the server told, which it does where it is asked to
}

// Proxy stands in front of a [Server].
type Proxy struct {
	URI string // "http://127.0.0.1:port"

	server string
	http   http.Client

	mu     sync.Mutex
	calls  []Call
	decide func(Call) Fault
}

// NewProxy returns a proxy that passes everything on. It stops with the test.
func NewProxy(t testing.TB, s *Server) *Proxy {
	t.Helper()
	// Bodies pass as they are, since a checksum goes with them.
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}
	p := &Proxy{server: s.URI, http: http.Client{Transport: transport}}
	front := httptest.NewServer(p)
	t.Cleanup(func() {
		front.CloseClientConnections()
		front.Close()
		transport.CloseIdleConnections()
	})
	p.URI = front.URL
	return p
}

// Decide gives every request to come to decide, one after another, with its N, Operation and Body; nil passes all on.
func (p *Proxy) Decide(decide func(Call) Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.decide = decide
}

// Calls returns the requests so far, in the order in which they came. Those under way have no Units.
func (p *Proxy) Calls() []Call {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.calls)
}

// begin notes a request.
func (p *Proxy) begin(operation string, body []byte) Call {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := Call{N: len(p.calls), At: time.Now(), Operation: operation, Body: body}
	if p.decide != nil {
		c.Fault = p.decide(c)
	}
	p.calls = append(p.calls, c)
	return c
}

// ServeHTTP implements [http.Handler].
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	c := p.begin(operation, body)
	switch c.Fault {
	case None, CutAfter:
	case CutBefore:
		panic(http.ErrAbortHandler)
	case Unavailable:
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case Page:
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusBadGateway)
		_, _ = io.WriteString(w, "<html><body>Bad Gateway</body></html>")
		return
	case Half:
		body, c.Body = halves(body)
	default:
		answer(w, http.StatusBadRequest, fmt.Appendf(nil, `{"__type":%q,"message":%q}`, c.Fault, messages[c.Fault]))
		return
	}
	request, err := http.NewRequestWithContext(r.Context(), r.Method, p.server+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	request.Header = r.Header.Clone()
	response, err := p.http.Do(request)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer response.Body.Close()
	told, err := io.ReadAll(response.Body)
	if err != nil || c.Fault == CutAfter {
		panic(http.ErrAbortHandler)
	}
	p.mu.Lock()
	p.calls[c.N].Units = units(told)
	p.mu.Unlock()
	if c.Fault == Half {
		told = withUnprocessed(told, c.Body)
	}
	for _, name := range []string{"X-Amzn-Requestid", "Content-Type"} {
		w.Header().Set(name, response.Header.Get(name))
	}
	answer(w, response.StatusCode, told)
}

// answer sends a body with its checksum, as DynamoDB does.
func answer(w http.ResponseWriter, status int, body []byte) {
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	}
	w.Header().Set("X-Amz-Crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may be gone
}

// units adds up the capacity that an answer tells of: that of one request, or a list of a batch's tables.
func units(body []byte) float64 {
	type capacity struct{ CapacityUnits float64 }
	var one struct{ ConsumedCapacity capacity }
	if json.Unmarshal(body, &one) == nil {
		return one.ConsumedCapacity.CapacityUnits
	}
	var list struct{ ConsumedCapacity []capacity }
	_ = json.Unmarshal(body, &list) // an error has none
	var sum float64
	for _, c := range list.ConsumedCapacity {
		sum += c.CapacityUnits
	}
	return sum
}

// batch is the part of BatchGetItem and BatchWriteItem that is of interest: what is asked of each table, which for
// the one is an object with Keys, and for the other a list.
type batch struct {
	fields, tables map[string]json.RawMessage
}

// halves splits a batch. The other half is what an answer returns as unprocessed; nil where there is none.
func halves(body []byte) (half, other []byte) {
	var b batch
	if json.Unmarshal(body, &b.fields) != nil || json.Unmarshal(b.fields["RequestItems"], &b.tables) != nil {
		return body, nil
	}
	rest := make(map[string]json.RawMessage)
	for table, asked := range b.tables {
		var of map[string]json.RawMessage
		list := asked
		if json.Unmarshal(asked, &of) == nil {
			list = of["Keys"]
		}
		var all []json.RawMessage
		_ = json.Unmarshal(list, &all) // else it is empty
		kept := (len(all) + 1) / 2
		part := func(members []json.RawMessage) json.RawMessage {
			if of == nil {
				return marshal(members)
			}
			of["Keys"] = marshal(members)
			return marshal(of)
		}
		if kept < len(all) {
			rest[table] = part(all[kept:])
		}
		b.tables[table] = part(all[:kept])
	}
	b.fields["RequestItems"] = marshal(b.tables)
	return marshal(b.fields), marshal(rest)
}

// withUnprocessed adds the other half to the answer to one half.
func withUnprocessed(told, other []byte) []byte {
	var fields map[string]json.RawMessage
	if other == nil || json.Unmarshal(told, &fields) != nil {
		return told
	}
	for _, name := range []string{"UnprocessedKeys", "UnprocessedItems"} {
		if _, ok := fields[name]; ok {
			fields[name] = other
		}
	}
	return marshal(fields)
}

func marshal(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // what was read as JSON can be written
	}
	return b
}
