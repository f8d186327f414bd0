//go:build !unix

package redisserver

// Pause skips the test where the system cannot stop a process without ending it.
func (s *Server) Pause() {
	s.t.Helper()
	s.t.Skip("no process can be paused here")
}

// Resume ends a [Server.Pause].
func (*Server) Resume() {}
