package main

import (
	"fmt"
	"strings"
)

// rounds are those of one number of credentials.
type rounds struct {
	Credentials int     `json:"credentials"`
	Bare        results `json:"bare"`
	Operator    results `json:"operator"`
	Peer        results `json:"peer,omitempty"`
}

// results are what was measured of one contestant in each round, by phase.
type results map[string][]measured

// others are what was measured in a phase beside the operator: of the bare loop, and of the peer where
// it took part in the run.
func (r report) others(m rounds, phase string) [][]measured {
	if r.Peer == "" {
		return [][]measured{m.Bare[phase]}
	}
	return [][]measured{m.Bare[phase], m.Peer[phase]}
}

// peerOf leaves the bare loop out of the others: it is no process of its own, and makes no passes.
func peerOf(others [][]measured) [][]measured { return others[1:] }

// of takes one figure out of what was measured in each round.
func of(all []measured, figure func(measured) float64) []float64 {
	var figures []float64
	for _, m := range all {
		figures = append(figures, figure(m))
	}
	return figures
}

func rate(m measured) float64        { return m.PerSecond }
func operatorMS(m measured) float64  { return m.OperatorMS }
func apiServer(m measured) float64   { return m.APIServerMS }
func etcd(m measured) float64        { return m.EtcdMS }
func serviceMS(m measured) float64   { return m.ServiceMS }
func peak(m measured) float64        { return m.PeakMiB }
func passes(m measured) float64      { return m.Passes }
func allRequests(m measured) float64 { return m.Requests.all() }

// tokensTable tells how fast, and at what cost, for each phase and number.
func (r report) tokensTable() string {
	rows := [][]string{{"phase", "credentials", "operator, a second", "bare loop, a second", "ratio", "operator ms", "kube-apiserver ms (bare)", "etcd ms (bare)", "service ms (with bare loop)", "operator peak MiB"}}
	if r.Peer != "" {
		rows = [][]string{{"phase", "credentials", "operator, a second", "bare loop, a second", "ratio", "peer, a second", "ratio to peer", "operator ms (peer)", "kube-apiserver ms (bare, peer)", "etcd ms (bare, peer)", "service ms (with bare loop)", "operator peak MiB (peer)"}}
	}
	for _, phase := range phases {
		for _, m := range r.Measured {
			operator, others := m.Operator[phase], r.others(m, phase)
			if len(operator) == 0 {
				continue
			}
			row := []string{phase, fmt.Sprint(m.Credentials), told(of(operator, rate), "%.0f")}
			for _, other := range others {
				row = append(row, told(of(other, rate), "%.0f"), told(ratios(rate, operator, other), "%.2f"))
			}
			rows = append(rows, append(row,
				beside(operatorMS, "%.2f", operator, peerOf(others)), beside(apiServer, "%.1f", operator, others),
				beside(etcd, "%.1f", operator, others), beside(serviceMS, "%.2f", operator, others[:1]), beside(peak, "%.0f", operator, peerOf(others))))
		}
	}
	return markdown(rows)
}

// told tells some figures by median and spread, and none by a dash.
func told(figures []float64, format string) string {
	if len(figures) == 0 {
		return "-"
	}
	return withSpread(figures, format)
}

// beside tells the median of a figure of the operator, and in brackets those of the others, if any of
// them has it.
func beside(figure func(measured) float64, format string, operator []measured, others [][]measured) string {
	text := fmt.Sprintf(format, median(of(operator, figure)))
	var medians []string
	found := false
	for _, other := range others {
		if len(other) == 0 {
			medians = append(medians, "-")
			continue
		}
		medians, found = append(medians, fmt.Sprintf(format, median(of(other, figure)))), true
	}
	if found {
		text += " (" + strings.Join(medians, ", ") + ")"
	}
	return text
}

// ratios are those of a figure to the same one elsewhere, round by round.
func ratios(figure func(measured) float64, those, others []measured) []float64 {
	var all []float64
	for i := range min(len(those), len(others)) {
		all = append(all, figure(those[i])/figure(others[i]))
	}
	return all
}

// requestsTable tells the requests of the last round with the most credentials.
func (r report) requestsTable() string {
	rows := [][]string{{"for each", "requests", "bare loop's", "passes", "requests by verb and resource"}}
	if r.Peer != "" {
		rows = [][]string{{"for each", "requests", "bare loop's", "peer's", "passes (peer)", "requests by verb and resource", "peer's by verb and resource"}}
	}
	most := r.Measured[len(r.Measured)-1]
	for _, phase := range phases {
		operator, others := last(most.Operator[phase]), r.others(most, phase)
		if len(operator) == 0 {
			continue
		}
		row := []string{phase, told(of(operator, allRequests), "%.2f")}
		for i := range others {
			others[i] = last(others[i])
			row = append(row, told(of(others[i], allRequests), "%.2f"))
		}
		row = append(row, beside(passes, "%.2f", operator, peerOf(others)), listed(operator))
		for _, peer := range peerOf(others) {
			row = append(row, listed(peer))
		}
		rows = append(rows, row)
	}
	return markdown(rows)
}

// numbersTable tells what a token costs kube-apiserver with more credentials, by what it costs with fewer,
// round by round.
func (r report) numbersTable() string {
	rows := [][]string{{"kube-apiserver ms for each", "credentials", "operator", "bare loop"}}
	for _, phase := range phases {
		for i := range r.Measured[1:] {
			fewer, more := r.Measured[i], r.Measured[i+1]
			if len(more.Operator[phase]) == 0 {
				continue
			}
			rows = append(rows, []string{
				phase, fmt.Sprintf("%d over %d", more.Credentials, fewer.Credentials),
				told(ratios(apiServer, more.Operator[phase], fewer.Operator[phase]), "%.2f"), told(ratios(apiServer, more.Bare[phase], fewer.Bare[phase]), "%.2f"),
			})
		}
	}
	return markdown(rows)
}

// last is what was measured in the last round alone.
func last(all []measured) []measured { return all[max(0, len(all)-1):] }

// listed lists the requests of a round, or tells by a dash that there was none.
func listed(round []measured) string {
	if len(round) == 0 {
		return "-"
	}
	return round[0].Requests.String()
}
