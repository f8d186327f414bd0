package record

import (
	"fmt"
	"slices"
)

// App is one of the two programs whose data these are. They read and write different places.
type App uint8

// The apps.
const (
	Fork     App = iota // reads MongoDB, then Redis in its own layout
	Upstream            // reads Redis alone, in its own layout
)

var appNames = [...]string{"fork", "upstream"}

// String returns the app's name as the flag spells it.
func (a App) String() string { return appNames[a] }

// ParseApp reads an app's name.
func ParseApp(s string) (App, error) {
	if i := slices.Index(appNames[:], s); i >= 0 {
		return App(i), nil
	}
	return 0, fmt.Errorf("unknown app %q (fork or upstream)", s)
}

// Apps is a set of apps. The zero value is empty.
type Apps uint8

// AllApps holds every app.
const AllApps = Apps(1<<Fork | 1<<Upstream)

// Has reports whether a is in the set.
func (s Apps) Has(a App) bool { return s&(1<<a) != 0 }

// With returns the set and a.
func (s Apps) With(a App) Apps { return s | 1<<a }
