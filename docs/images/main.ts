// Draws the pictures of the documentation: npm run pictures
import { writeFileSync } from 'node:fs'
import { pictures } from './pictures.js'

for (const [name, draw] of pictures) {
  const picture = draw()
  for (const problem of picture.problems()) console.error(`${name}: ${problem}`)
  writeFileSync(new URL(`./${name}.svg`, import.meta.url), String(picture))
}
