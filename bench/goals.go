package main

// grossly is how far beyond its goal a figure has to be for the short form to fail.
const grossly = 1.5

// scanReference is the CPU time of the plain scan, in microseconds a key, on the machine that the goal of CPU time a key
// was set for. Where the short form sees it take longer, the machine is slower or busier, and the figure is scaled.
const scanReference = 2.2

// Names of rows. What is left of the sign is lanyardctl, but where the fork's way is.
const (
	rowSource       = "source ÷ plain scan"
	rowMigrate      = "migrate ÷ plain load"
	rowCPU          = "migrate, CPU µs a key"
	rowRerun        = "rerun ÷ reading both"
	rowVerify       = "verify ÷ reading both"
	rowSweep        = "sweep ÷ reading"
	rowBackUpstream = "back, upstream ÷ plain load"
	rowBackServer   = "the same, Redis's CPU"
	rowBackFork     = "back, fork ÷ plain load"
	rowRDB          = "rdb ÷ parser"
	rowFork         = "the fork's way ÷ ours"
	rowGrowth       = ", growth of time a record" // after the name of what grows
	rowPeak         = "peak RSS of all runs, MiB"
)

// goal is what a figure should not exceed.
type goal struct {
	Value float64 `json:"value"`
}

// goals are those of the rows that have one.
var goals = map[string]goal{
	rowSource:             {Value: 2.0},
	rowMigrate:            {Value: 1.5},
	rowCPU:                {Value: 4.0},
	rowRerun:              {Value: 2.5},
	rowVerify:             {Value: 2.0},
	rowBackUpstream:       {Value: 1.25},
	rowBackFork:           {Value: 1.25},
	"migrate" + rowGrowth: {Value: 1.2},
	"rerun" + rowGrowth:   {Value: 1.2},
	"verify" + rowGrowth:  {Value: 1.2},
	rowPeak:               {Value: 96},
}

// shortGoals are those of the short form. It judges ratios of CPU time, of which a yardstick, which decodes nothing and
// decides nothing, takes less than its share, and a size at which the first touch of memory still counts.
var shortGoals = map[string]goal{
	rowSource:       {Value: 3.2},
	rowMigrate:      {Value: 1.5},
	rowCPU:          {Value: 6.0},
	rowRerun:        {Value: 2.5},
	rowVerify:       {Value: 2.3},
	rowBackUpstream: {Value: 6},
}

// missed tells whether a value is beyond the goal by more than a factor.
func (g goal) missed(value, factor float64) bool { return value > g.Value*factor }
