package fakespaces

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// Next queues faults for the next calls of an operation: each call takes one,
// and [NoFault] lets one pass. Faults queued for an operation come before
// those queued for [OperationAny]. It panics on an unknown name.
func (s *Service) Next(op Operation, faults ...Fault) {
	mustBe(checkOperation(op))
	for _, fault := range faults {
		mustBe(checkFault(fault))
	}
	s.change(func() { s.queued[op] = append(s.queued[op], faults...) })
}

// SetFaultRate makes a share of the calls of an operation go wrong: 0.1 is one
// in ten, 0 ends it. The rates of one operation add up; what is over 1 never
// happens. A call that finds nothing queued is subject to its operation's
// rates, then to those of [OperationAny]. It panics on an unknown name and on a
// rate outside 0 to 1.
func (s *Service) SetFaultRate(op Operation, fault Fault, rate float64) {
	mustBe(checkRate(op, fault, rate))
	s.change(func() {
		if s.rates[op] == nil {
			s.rates[op] = map[Fault]float64{}
		}
		s.rates[op][fault] = rate
	})
}

// ClearNext empties the queues of [Service.Next].
func (s *Service) ClearNext() { s.change(func() { clear(s.queued) }) }

// ClearFaultRates ends all rates of [Service.SetFaultRate] and [WithFaultRate].
func (s *Service) ClearFaultRates() { s.change(func() { clear(s.rates) }) }

// Intercept has a function called for each call that arrives, before it does
// its work. The function may block, which holds the call in flight, and may
// give a Fault, which comes before queued and random ones; [NoFault] leaves it
// to those. No lock is held: the function may call the Service. nil removes it.
func (s *Service) Intercept(f func(Call) Fault) {
	s.change(func() { s.intercept = f })
}

// InterceptAnswer has a function called for each call after its work was done
// and before its answer is written. The function may block; the client then
// waits for an answer that is already decided. nil removes it.
func (s *Service) InterceptAnswer(f func(Call)) {
	s.change(func() { s.interceptAnswer = f })
}

func (s *Service) askIntercept(call Call) Fault {
	s.mutex.Lock()
	f := s.intercept
	s.mutex.Unlock()
	if f == nil {
		return NoFault
	}
	fault := f(call.copied())
	mustBe(checkFault(fault))
	return fault
}

func (s *Service) tellInterceptAnswer(call Call) {
	s.mutex.Lock()
	f := s.interceptAnswer
	s.mutex.Unlock()
	if f != nil {
		f(call.copied())
	}
}

// chooseFault decides what goes wrong with a call: what is down stays down,
// then what the interceptor wants, the queues, and chance.
func (s *Service) chooseFault(op Operation, wanted Fault) Fault {
	if s.settings.down {
		return FaultLostBefore
	}
	if wanted != NoFault {
		return wanted
	}
	for _, of := range []Operation{op, OperationAny} {
		if queue := s.queued[of]; len(queue) > 0 {
			s.queued[of] = queue[1:]
			return queue[0]
		}
	}
	for _, of := range []Operation{op, OperationAny} {
		if fault := s.drawFault(of); fault != NoFault {
			return fault
		}
	}
	return NoFault
}

// drawFault throws the dice once for all rates of an operation, in the order
// of Faults, so that a seeded source makes a run repeatable.
func (s *Service) drawFault(op Operation) Fault {
	if len(s.rates[op]) == 0 {
		return NoFault
	}
	drawn := float64(binary.BigEndian.Uint64(s.randomBytes(8))) / math.MaxUint64
	for _, fault := range Faults() {
		rate := s.rates[op][fault]
		if drawn < rate {
			return fault
		}
		drawn -= rate
	}
	return NoFault
}

func checkOperation(op Operation) error {
	if !slices.Contains(Operations(), op) {
		return fmt.Errorf("unknown operation %q", string(op))
	}
	return nil
}

func checkFault(fault Fault) error {
	if _, known := oddities[fault]; !known && fault != NoFault {
		return fmt.Errorf("unknown fault %q", string(fault))
	}
	return nil
}

func checkRate(op Operation, fault Fault, rate float64) error {
	if err := checkOperation(op); err != nil {
		return err
	}
	if err := checkFault(fault); err != nil {
		return err
	}
	if fault == NoFault || !(rate >= 0 && rate <= 1) {
		return fmt.Errorf("rate %v of fault %q: want a fault and a rate from 0 to 1", rate, string(fault))
	}
	return nil
}
