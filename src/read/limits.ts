/** No object can carry more than half of the collision's 13-14 TeV; twice that leaves room for every smearing. GeV. */
export const maxPt = 14000;
export const maxAbsEta = 10;
/** Files rounded to few digits overshoot pi a little. rad. */
export const phiSlack = 1e-4;
/** pi as float32 has it (9e-8 above pi), so that values already at the edge stay bit for bit. */
export const pi32 = Math.fround(Math.PI);

/** What is wrong with an object's numbers, or undefined. pt in GeV. */
export function kinematicsProblem(met: boolean, pt: number, eta: number, phi: number): string | undefined {
  const fine =
    pt < maxPt &&
    (met ? pt >= 0 && eta === 0 : Math.fround(pt) > 0) &&
    Math.abs(eta) <= maxAbsEta &&
    Math.abs(phi) <= Math.PI + phiSlack;
  return fine ? undefined : explain(met, pt, eta, phi);
}

/** In a function of its own: V8 would make text of pt, which several messages share, before it knows that one is needed. */
function explain(met: boolean, pt: number, eta: number, phi: number): string | undefined {
  if (!Number.isFinite(pt)) return `pT is ${pt}`;
  if (!Number.isFinite(eta)) return `eta is ${eta}`;
  if (!Number.isFinite(phi)) return `phi is ${phi}`;
  if (met ? pt < 0 : Math.fround(pt) <= 0) return `pT is ${pt} GeV, expected ${met ? '0 or more' : 'above 0'}`;
  if (pt >= maxPt) return `pT is ${pt} GeV, expected below ${maxPt}`;
  if (met && eta !== 0) return `eta is ${eta}, expected 0`;
  if (Math.abs(eta) > maxAbsEta) return `eta is ${eta}, expected within ±${maxAbsEta}`;
  if (Math.abs(phi) > Math.PI + phiSlack) return `phi is ${phi}, expected within ±pi`;
  return undefined;
}
