// Package discordserver is a small part of Discord's REST API for tests: it lists the members of guilds, and fails as it
// is told. It stops with its test.
package discordserver

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/lanyardctl/lanyardctl/record"
)

// DefaultGuild is the id of the guild where [Options] name none.
const DefaultGuild = "81384788765712384"

// Token is the bot's token that a server takes.
const Token = "MTE0OTc3NjA3.test-only.dG9rZW4tb2YtdGhlLXRlc3Rz"

// Options says what a server answers.
type Options struct {
	Guild   string // DefaultGuild where empty
	Members []Member

	// PageMax is how many members are listed at a time at most, whatever is asked for; zero means 1000.
	PageMax int

	Outside  bool // the bot is not in the guild
	NoIntent bool // the bot may not list members

	// Faults are what the requests for a list of members meet in place of an answer, by their number, from 1.
	Faults map[int]Fault
}

// Member is a member of the guild.
type Member struct {
	User     record.UserID
	JoinedAt any // as JSON has it: text, a number, or nil for null
}

// Fault is an answer that is no list of members.
type Fault struct {
	Status int // zero means 200
	Header map[string]string
	Body   string

	// Hang is closed by who waits for the request to arrive, which is never answered; nil for a request that is.
	Hang chan struct{}

	// Cut tells that the connection is cut before an answer.
	Cut bool
}

// TooMany is Discord's answer to a request too many, which may be made again after the given seconds.
func TooMany(seconds float64) Fault {
	after := strconv.FormatFloat(seconds, 'g', -1, 64)
	return Fault{
		Status: http.StatusTooManyRequests,
		Header: map[string]string{"Content-Type": "application/json", "Retry-After": after, "X-RateLimit-Scope": "user"},
		Body:   `{"message": "You are being rate limited.", "retry_after": ` + after + `, "global": false}`,
	}
}

// Page is an answer of something that stands before Discord.
func Page(status int) Fault {
	return Fault{
		Status: status, Header: map[string]string{"Content-Type": "text/html"},
		Body: "<html><body><h1>" + http.StatusText(status) + "</h1></body></html>",
	}
}

// Server is a running server.
type Server struct {
	URL   string // base address of the API
	Guild string

	options  Options
	mu       sync.Mutex
	requests []string
	lists    int
}

// Start runs a server.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s := &Server{Guild: cmp.Or(o.Guild, DefaultGuild), options: o}
	s.options.Members = slices.Clone(o.Members)
	slices.SortFunc(s.options.Members, func(a, b Member) int { return cmp.Compare(a.User, b.User) })
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.URL = server.URL + "/api/v9"
	return s
}

// Requests returns all requests so far, such as "GET /guilds/1/members?limit=1000".
func (s *Server) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// ServeHTTP answers as Discord does.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/api/v9")
	guild := "/guilds/" + s.Guild
	list := path == guild+"/members"
	fault, faulty := s.note(r, path, list)
	switch {
	case r.Header.Get("Authorization") != "Bot "+Token:
		refuse(w, http.StatusUnauthorized, 0, "401: Unauthorized")
	case faulty:
		fault.serve(w, r)
	case path != guild && path != guild+"/members":
		refuse(w, http.StatusNotFound, 10004, "Unknown Guild")
	case s.options.Outside, s.options.NoIntent && list:
		refuse(w, http.StatusForbidden, 50001, "Missing Access")
	case list:
		s.list(w, r)
	default:
		answer(w, http.StatusOK, map[string]any{"id": s.Guild, "approximate_member_count": len(s.options.Members)})
	}
}

// note keeps a request, and returns the fault that it meets.
func (s *Server) note(r *http.Request, path string, list bool) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	line := r.Method + " " + path
	if r.URL.RawQuery != "" {
		line += "?" + r.URL.RawQuery
	}
	s.requests = append(s.requests, line)
	if !list {
		return Fault{}, false
	}
	s.lists++
	fault, ok := s.options.Faults[s.lists]
	return fault, ok
}

func (f Fault) serve(w http.ResponseWriter, r *http.Request) {
	switch {
	case f.Hang != nil:
		close(f.Hang)
		<-r.Context().Done()
		return
	case f.Cut:
		panic(http.ErrAbortHandler)
	}
	for name, value := range f.Header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(cmp.Or(f.Status, http.StatusOK))
	_, _ = w.Write([]byte(f.Body)) // the client may be gone
}

// list answers with the members after the one that is named.
func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	limit, after := 1, record.UserID(0)
	if text := r.URL.Query().Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 1000 {
			refuse(w, http.StatusBadRequest, 50035, "Invalid Form Body")
			return
		}
		limit = n
	}
	if text := r.URL.Query().Get("after"); text != "" {
		id, ok := record.ParseUserID(text)
		if !ok {
			refuse(w, http.StatusBadRequest, 50035, "Invalid Form Body")
			return
		}
		after = id
	}
	from, _ := slices.BinarySearchFunc(s.options.Members, after+1, func(m Member, id record.UserID) int { return cmp.Compare(m.User, id) })
	to := min(from+limit, from+cmp.Or(s.options.PageMax, 1000), len(s.options.Members))
	page := []any{}
	for _, m := range s.options.Members[from:to] {
		page = append(page, m.object())
	}
	// Between any two requests of one after the other, the limit is never reached.
	w.Header().Set("X-RateLimit-Limit", "10")
	w.Header().Set("X-RateLimit-Remaining", "9")
	w.Header().Set("X-RateLimit-Reset-After", "1.000")
	answer(w, http.StatusOK, page)
}

// object is the member as Discord shows it, with some of what it shows besides.
func (m Member) object() map[string]any {
	return map[string]any{
		"user":      map[string]any{"id": m.User.String(), "username": fmt.Sprint("user", m.User%1000), "discriminator": "0"},
		"joined_at": m.JoinedAt, "nick": nil, "roles": []string{}, "deaf": false, "mute": false, "flags": 0,
	}
}

func refuse(w http.ResponseWriter, status, code int, message string) {
	answer(w, status, map[string]any{"message": message, "code": code})
}

func answer(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may be gone
}
