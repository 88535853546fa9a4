/** Keeps a core busy, in whichever thread it is called. */
export default function cpuWork ({ ms }) {
  const end = performance.now() + ms
  while (performance.now() < end);
}
