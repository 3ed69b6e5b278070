/** A mistake of the operator's or something missing on the machine, told in one line. */
export class CannotStart extends Error {}
