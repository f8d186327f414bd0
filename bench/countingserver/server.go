package countingserver

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
)

// Server holds databases in memory. The zero value is empty and ready.
type Server struct {
	mu          sync.Mutex
	collections map[string]*collection // by "database.collection"
	cursors     map[int64]*cursor
	lastCursor  int64
}

// Serve answers the clients of the listener until that is closed. A client that sends what no driver sends is reported,
// and its connection closed.
func (s *Server) Serve(listener net.Listener, report func(error)) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			if err := s.converse(conn); err != nil {
				report(err)
			}
		}()
	}
}

func (s *Server) converse(conn net.Conn) error {
	r := bufio.NewReaderSize(conn, 64<<10)
	for {
		m, err := readMessage(r)
		if err != nil {
			return unlessGone(err)
		}
		if err := writeReply(conn, m, s.answer(m)); err != nil {
			return unlessGone(err)
		}
	}
}

// unlessGone returns an error that is not of a client that went away.
func unlessGone(err error) error {
	var network *net.OpError
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &network) {
		return nil
	}
	return fmt.Errorf("counting server: %w", err)
}

// collection returns the one with the name. A new one exists for clients once it has been written to.
func (s *Server) collection(database, name string) *collection {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.collections == nil {
		s.collections = make(map[string]*collection)
	}
	full := database + "." + name
	if s.collections[full] == nil {
		s.collections[full] = newCollection(full)
	}
	return s.collections[full]
}

// collectionsOf returns those of a database that exist, by their names.
func (s *Server) collectionsOf(database string) map[string]*collection {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string]*collection)
	for full, c := range s.collections {
		if name, ok := strings.CutPrefix(full, database+"."); ok && c.exists() {
			all[name] = c
		}
	}
	return all
}

// drop forgets a collection, or with the name "" all of a database.
func (s *Server) drop(database, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for full := range s.collections {
		if full == database+"."+name || name == "" && strings.HasPrefix(full, database+".") {
			delete(s.collections, full)
		}
	}
}

// keep returns the number under which the rest of a cursor can be fetched.
func (s *Server) keep(c *cursor) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cursors == nil {
		s.cursors = make(map[int64]*cursor)
	}
	s.lastCursor++
	s.cursors[s.lastCursor] = c
	return s.lastCursor
}

func (s *Server) cursor(id int64) *cursor {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cursors[id]
}

func (s *Server) forget(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.cursors, id)
}
