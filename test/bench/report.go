package main

import (
	"fmt"
	"strings"
)

// report is all that was measured, as results.json has it.
type report struct {
	Date       string `json:"date"`
	Kubernetes string `json:"kubernetes"`
	Go         string `json:"go"`
	Processors int    `json:"processors"`
	Rounds     int    `json:"rounds"`
	AtATime    int    `json:"atATime"`
	// Others is the share of the processors that other programs used during the rounds.
	Others float64 `json:"others"`
	// Peer is its name and version, where it took part.
	Peer string `json:"peer,omitempty"`
	// Watching tells that the bare loop watched what an operator watches.
	Watching bool `json:"watching,omitempty"`
	// Memory is the limit that the operator's collector kept to, where one was set.
	Memory   string    `json:"memory,omitempty"`
	Measured []rounds  `json:"measured,omitempty"`
	Prices   []price   `json:"prices,omitempty"`
	Waiting  *queue    `json:"waiting,omitempty"`
	Resident *resident `json:"resident,omitempty"`
	Spread   []spread  `json:"spread,omitempty"`
}

func (r report) isEmpty() bool {
	return len(r.Measured) == 0 && len(r.Prices) == 0 && r.Waiting == nil && r.Resident == nil && len(r.Spread) == 0
}

// table is the report as people read it, in Markdown.
func (r report) table() string {
	var text strings.Builder
	fmt.Fprintf(&text, "Measured on %s: %d processors, Kubernetes %s, %s, %d rounds, %d at a time. Medians, and how far\nthe rounds lie from them.\n",
		r.Date, r.Processors, r.Kubernetes, r.Go, r.Rounds, r.AtATime)
	if len(r.Measured) > 0 {
		fmt.Fprintf(&text, "Other programs used %.0f %% of the processors during the rounds.\n", 100*r.Others)
		if r.Peer != "" {
			fmt.Fprintf(&text, "The peer is %s.\n", r.Peer)
		}
		if r.Watching {
			text.WriteString("The bare loop watches what an operator watches.\n")
		}
		if r.Memory != "" {
			fmt.Fprintf(&text, "The operator's collector keeps to %s (GOMEMLIMIT).\n", r.Memory)
		}
		text.WriteString("\n" + r.tokensTable() + "\n" + r.requestsTable())
		if len(r.Measured) > 1 {
			text.WriteString("\n" + r.numbersTable())
		}
	}
	if len(r.Prices) > 0 {
		text.WriteString("\n" + r.pricesTable())
	}
	if r.Waiting != nil || r.Resident != nil {
		text.WriteString("\n" + r.otherTable())
	}
	if len(r.Spread) > 0 {
		text.WriteString("\n" + r.spreadTable())
	}
	return text.String()
}

// pricesTable tells what a request costs, and what it cost before.
func (r report) pricesTable() string {
	rows := [][]string{{"one request", "kube-apiserver ms", "reference", "ratio"}}
	for _, p := range r.Prices {
		row := []string{p.Request, fmt.Sprintf("%.2f", p.MS), "-", "-"}
		if p.ReferenceMS > 0 {
			row[2], row[3] = fmt.Sprintf("%.2f", p.ReferenceMS), fmt.Sprintf("%.2f", p.MS/p.ReferenceMS)
		}
		rows = append(rows, row)
	}
	return markdown(rows)
}

// otherTable tells of waiting and of having nothing to do.
func (r report) otherTable() string {
	rows := [][]string{{"what", "figure"}}
	if w := r.Waiting; w != nil {
		rows = append(rows,
			[]string{fmt.Sprintf("%d wait for the rate of %.0f a second: rate used", w.Credentials, w.Rate), fmt.Sprintf("%.1f a second", w.PerSecond)},
			[]string{"requests, and passes, for each of them", fmt.Sprintf("%.2f, %.2f (%s)", w.Requests.all(), w.Passes, w.Requests)},
			[]string{"processor time for each of them: operator, kube-apiserver, etcd", fmt.Sprintf("%.1f, %.1f, %.1f ms", w.OperatorMS, w.APIServerMS, w.EtcdMS)},
		)
	}
	if w := r.Resident; w != nil {
		worst := func(numbers []float64) string {
			return fmt.Sprintf("%.0f ms, at most %.0f ms", median(numbers), maximum(numbers))
		}
		rows = append(rows,
			[]string{"from a changed login to the new token", worst(w.ChangedLoginMS)},
			[]string{"from a deleted published Secret to its return", worst(w.DeletedMS)},
			[]string{fmt.Sprintf("start until %d are scheduled", w.Credentials+latecomers), fmt.Sprintf("%.1f s", w.StartSeconds)},
			[]string{fmt.Sprintf("an idle hour with %d: operator, kube-apiserver, etcd", w.Credentials+latecomers),
				fmt.Sprintf("%.0f, %.0f, %.0f s of processor time, %.0f requests", w.OperatorSeconds, w.APIServerSeconds, w.EtcdSeconds, w.Requests)},
			[]string{"peak memory of that start", fmt.Sprintf("%.0f MiB", w.PeakMiB)},
			[]string{fmt.Sprintf("the same with %d Secrets of others", w.Foreign),
				fmt.Sprintf("%.0f MiB, %.2f KiB each", w.ForeignPeakMiB, (w.ForeignPeakMiB-w.PeakMiB)*1024/float64(w.Foreign))},
		)
	}
	return markdown(rows)
}

// spreadTable tells how renewals are spread.
func (r report) spreadTable() string {
	rows := [][]string{{"first renewals of one-hour tokens", "from", "to", "busiest ten seconds", "over the mean"}}
	for _, s := range r.Spread {
		rows = append(rows, []string{s.String(), fmt.Sprint(s.First), fmt.Sprint(s.Last), fmt.Sprint(s.Busiest), fmt.Sprintf("%.2f", s.Ratio)})
	}
	return markdown(rows)
}

// markdown is a table, whose first row is the heading.
func markdown(rows [][]string) string {
	var text strings.Builder
	for i, row := range rows {
		text.WriteString("| " + strings.Join(row, " | ") + " |\n")
		if i == 0 {
			text.WriteString("|" + strings.Repeat(" --- |", len(row)) + "\n")
		}
	}
	return text.String()
}
