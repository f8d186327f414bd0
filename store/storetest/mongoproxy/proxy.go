// Package mongoproxy stands between a driver and a FerretDB. It shows the commands that pass, and answers some of them in
// the server's place: with what MongoDB's documentation and source publish as its answers. It is no MongoDB, and a test
// that uses it says so: it shows what the driver and the store make of an answer, not that a server gives it. For tests
// only.
package mongoproxy

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/wiremessage"
)

// Command is a command on its way to the server.
type Command struct {
	Name     string // "find"
	Database string
	Body     bson.D // with documents that came beside it
	Bytes    int    // of the body without those
}

// Get returns a field of the body, nil where there is none.
func (c Command) Get(name string) any {
	for _, e := range c.Body {
		if e.Key == name {
			return e.Value
		}
	}
	return nil
}

// Hook is asked about every command, from several goroutines. It may answer in the server's place, or return nil. The
// context ends with the proxy.
type Hook func(context.Context, Command) bson.D

// Options says as what the proxy shows the server.
type Options struct {
	Version string // of MongoDB; empty shows the server as what it is

	// Set makes the server a member of a replica set of that name, whose other members are Others, which need not exist.
	// Secondary makes it no primary; then the first of Others is.
	Set       string
	Others    []string
	Secondary bool

	// Router makes the server a mongos.
	Router bool

	Hook Hook

	// Lose is asked about every command that the server carried out: where it says so, the connection breaks before the
	// answer comes.
	Lose func(Command) bool
}

// Proxy is a running proxy.
type Proxy struct {
	URI  string // to the proxy alone, whatever set it is in
	Addr string

	opts     Options
	target   string
	listener net.Listener
	done     sync.WaitGroup
	ctx      context.Context

	mu   sync.Mutex
	open map[net.Conn]bool
	seen []Command
}

// Start starts a proxy to the server at uri. It stops with the test.
func Start(t testing.TB, uri string, o Options) *Proxy {
	t.Helper()
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Addr: listener.Addr().String(), opts: o, target: u.Host, listener: listener, open: make(map[net.Conn]bool)}
	p.URI = "mongodb://" + p.Addr + "/?directConnection=true"
	ctx, stop := context.WithCancel(context.Background())
	p.ctx = ctx
	p.done.Go(p.accept)
	t.Cleanup(func() {
		stop()
		listener.Close()
		p.mu.Lock()
		for c := range p.open {
			c.Close()
		}
		p.mu.Unlock()
		p.done.Wait()
	})
	return p
}

// Commands returns the commands of the name that have passed, in order; all where name is empty.
func (p *Proxy) Commands(name string) []Command {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(p.seen), func(c Command) bool { return name != "" && c.Name != name })
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			client.Close()
			continue
		}
		p.mu.Lock()
		p.open[client], p.open[server] = true, true
		p.mu.Unlock()
		p.done.Go(func() {
			p.serve(client, server)
			client.Close()
			server.Close()
			p.mu.Lock()
			delete(p.open, client)
			delete(p.open, server)
			p.mu.Unlock()
		})
	}
}

// serve passes messages on until a connection ends. A driver has one command under way on a connection.
func (p *Proxy) serve(client, server net.Conn) {
	for {
		request, err := read(client)
		if err != nil {
			return
		}
		c, legacy, err := parse(request)
		if err != nil {
			return
		}
		reply := p.own(c)
		if reply == nil {
			if reply, err = p.pass(server, c); err != nil || p.opts.Lose != nil && p.opts.Lose(c) {
				return
			}
		}
		answer, err := encode(reply, request, legacy)
		if err != nil {
			return
		}
		if _, err := client.Write(answer); err != nil {
			return
		}
	}
}

// own returns the answer that the proxy gives itself.
func (p *Proxy) own(c Command) bson.D {
	p.mu.Lock()
	p.seen = append(p.seen, c)
	p.mu.Unlock()
	if p.opts.Hook != nil {
		if reply := p.opts.Hook(p.ctx, c); reply != nil {
			return reply
		}
	}
	if c.Name == "replSetGetStatus" {
		return Error(13, "Unauthorized", "not authorized on admin to execute command { replSetGetStatus: 1 }")
	}
	return nil
}

// Error returns the document with which MongoDB answers a command that fails.
func Error(code int32, name, message string, labels ...string) bson.D {
	reply := bson.D{{Key: "ok", Value: 0.0}, {Key: "errmsg", Value: message}, {Key: "code", Value: code}, {Key: "codeName", Value: name}}
	if len(labels) > 0 {
		reply = append(reply, bson.E{Key: "errorLabels", Value: labels})
	}
	return reply
}

// notOfFerretDB are the parts of commands that MongoDB takes and FerretDB does not.
var notOfFerretDB = []string{"collation", "commitQuorum", "txnNumber", "lsid", "$clusterTime"}

// pass asks the server, without what it does not know, and shows the answer as that of another.
func (p *Proxy) pass(server net.Conn, c Command) (bson.D, error) {
	message, err := encodeCommand(without(c.Body))
	if err != nil {
		return nil, err
	}
	if _, err := server.Write(message); err != nil {
		return nil, err
	}
	answer, err := read(server)
	if err != nil {
		return nil, err
	}
	reply, _, err := parse(answer)
	if err != nil {
		return nil, err
	}
	return p.shown(c, reply.Body), nil
}

// without returns a document without what FerretDB does not know, also inside its lists of statements and indexes.
func without(doc bson.D) bson.D {
	var out bson.D
	for _, e := range doc {
		if slices.Contains(notOfFerretDB, e.Key) {
			continue
		}
		if list, ok := e.Value.(bson.A); ok && slices.Contains([]string{"updates", "deletes", "indexes"}, e.Key) {
			inner := make(bson.A, len(list))
			for i, v := range list {
				inner[i] = v
				if d, ok := v.(bson.D); ok {
					inner[i] = without(d)
				}
			}
			e.Value = inner
		}
		out = append(out, e)
	}
	return out
}

func (p *Proxy) shown(c Command, reply bson.D) bson.D {
	switch {
	case p.opts.Version == "":
	case c.Name == "buildInfo" || c.Name == "buildinfo":
		reply = slices.DeleteFunc(reply, func(e bson.E) bool { return e.Key == "ferretdb" || e.Key == "ferretdbVersion" })
		return set(reply, "version", p.opts.Version)
	case c.Name == "hello" || c.Name == "isMaster" || c.Name == "ismaster":
		reply = p.topology(reply)
	}
	return reply
}

func (p *Proxy) topology(reply bson.D) bson.D {
	switch {
	case p.opts.Router:
		return set(reply, "msg", "isdbgrid")
	case p.opts.Set == "":
		return reply
	}
	primary := p.Addr
	if p.opts.Secondary {
		primary = p.opts.Others[0]
	}
	for name, v := range map[string]any{
		"setName": p.opts.Set, "setVersion": int32(1), "me": p.Addr, "primary": primary, "hosts": append([]string{p.Addr}, p.opts.Others...),
		"isWritablePrimary": !p.opts.Secondary, "ismaster": !p.opts.Secondary, "secondary": p.opts.Secondary,
	} {
		reply = set(reply, name, v)
	}
	return reply
}

func set(doc bson.D, name string, v any) bson.D {
	for i, e := range doc {
		if e.Key == name {
			doc[i].Value = v
			return doc
		}
	}
	return append(doc, bson.E{Key: name, Value: v})
}

// largest bounds a message: MongoDB takes 48,000,000 bytes.
const largest = 48_000_000

func read(from io.Reader) ([]byte, error) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(from, head); err != nil {
		return nil, err
	}
	length := binary.LittleEndian.Uint32(head)
	if length < 16 || length > largest {
		return nil, fmt.Errorf("a message of %d bytes", length)
	}
	message := append(head, make([]byte, length-4)...)
	_, err := io.ReadFull(from, message[4:])
	return message, err
}

var errForm = errors.New("a message of another form")

// parse returns the document of a message, of an OP_MSG with what came beside it, and whether it is of the older form, in
// which drivers greet.
func parse(message []byte) (c Command, legacy bool, err error) {
	_, _, _, opcode, rest, ok := wiremessage.ReadHeader(message)
	if !ok {
		return c, false, errForm
	}
	switch opcode {
	case wiremessage.OpMsg:
		c.Body, c.Bytes, err = parseMsg(rest)
	//lint:ignore SA1019 drivers greet in this form, whatever the server
	case wiremessage.OpQuery:
		legacy = true
		//lint:ignore SA1019 see above
		if _, rest, ok = wiremessage.ReadQueryFlags(rest); !ok {
			return c, true, errForm
		}
		//lint:ignore SA1019 see above
		if _, rest, ok = wiremessage.ReadQueryFullCollectionName(rest); !ok || len(rest) < 8 {
			return c, true, errForm
		}
		err = bson.Unmarshal(rest[8:], &c.Body) // after the numbers to skip and to return
		c.Body = set(c.Body, "$db", "admin")
	case wiremessage.OpReply:
		if len(rest) < 20 {
			return c, true, errForm
		}
		err = bson.Unmarshal(rest[20:], &c.Body) // after flags, cursor, start and number
	default:
		return c, false, errForm
	}
	if err != nil || len(c.Body) == 0 {
		return c, legacy, errors.Join(errForm, err)
	}
	c.Name = c.Body[0].Key
	c.Database, _ = c.Get("$db").(string)
	return c, legacy, nil
}

func parseMsg(rest []byte) (body bson.D, size int, err error) {
	flags, rest, ok := wiremessage.ReadMsgFlags(rest)
	if !ok {
		return nil, 0, errForm
	}
	if flags&wiremessage.ChecksumPresent != 0 {
		rest = rest[:len(rest)-4]
	}
	beside := bson.D{}
	for len(rest) > 0 {
		var kind wiremessage.SectionType
		if kind, rest, ok = wiremessage.ReadMsgSectionType(rest); !ok {
			return nil, 0, errForm
		}
		if kind == wiremessage.SingleDocument {
			doc, after, ok := wiremessage.ReadMsgSectionSingleDocument(rest)
			if !ok {
				return nil, 0, errForm
			}
			if err := bson.Unmarshal(doc, &body); err != nil {
				return nil, 0, err
			}
			size, rest = len(doc), after
			continue
		}
		name, docs, after, ok := wiremessage.ReadMsgSectionDocumentSequence(rest)
		if !ok {
			return nil, 0, errForm
		}
		list := make(bson.A, len(docs))
		for i, raw := range docs {
			var doc bson.D
			if err := bson.Unmarshal(raw, &doc); err != nil {
				return nil, 0, err
			}
			list[i] = doc
		}
		beside, rest = append(beside, bson.E{Key: name, Value: list}), after
	}
	return append(body, beside...), size, nil
}

func encodeCommand(body bson.D) ([]byte, error) {
	doc, err := bson.Marshal(body)
	if err != nil {
		return nil, err
	}
	i, message := wiremessage.AppendHeaderStart(nil, wiremessage.NextRequestID(), 0, wiremessage.OpMsg)
	message = wiremessage.AppendMsgFlags(message, 0)
	message = wiremessage.AppendMsgSectionType(message, wiremessage.SingleDocument)
	message = append(message, doc...)
	return finish(message, i), nil
}

// encode returns the message that answers request with the document.
func encode(reply bson.D, request []byte, legacy bool) ([]byte, error) {
	doc, err := bson.Marshal(reply)
	if err != nil {
		return nil, err
	}
	_, id, _, _, _, _ := wiremessage.ReadHeader(request)
	if legacy {
		i, message := wiremessage.AppendHeaderStart(nil, wiremessage.NextRequestID(), id, wiremessage.OpReply)
		message = binary.LittleEndian.AppendUint32(message, 8) // flags: awaits
		message = binary.LittleEndian.AppendUint64(message, 0) // no cursor
		message = binary.LittleEndian.AppendUint32(message, 0) // from the first
		message = binary.LittleEndian.AppendUint32(message, 1) // one document
		return finish(append(message, doc...), i), nil
	}
	i, message := wiremessage.AppendHeaderStart(nil, wiremessage.NextRequestID(), id, wiremessage.OpMsg)
	message = wiremessage.AppendMsgFlags(message, 0)
	message = wiremessage.AppendMsgSectionType(message, wiremessage.SingleDocument)
	return finish(append(message, doc...), i), nil
}

func finish(message []byte, start int32) []byte {
	binary.LittleEndian.PutUint32(message[start:], uint32(len(message)-int(start)))
	return message
}
