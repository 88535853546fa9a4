// The work of a worker thread, which loads this file: `endless` never gives the thread back.
export default function compute ({ endless }) {
  // eslint-disable-next-line no-unmodified-loop-condition
  while (endless);
}
