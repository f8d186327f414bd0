//go:build noembedded

package embedded

import "context"

// Included tells whether this build has the embedded server.
const Included = false

// Server cannot be had in this build.
type Server struct{}

// Start returns [ErrNotIncluded].
func Start(context.Context, Options) (*Server, error) { return nil, ErrNotIncluded }

// URI returns nothing.
func (s *Server) URI() string { return "" }

// Close does nothing.
func (s *Server) Close() error { return nil }
