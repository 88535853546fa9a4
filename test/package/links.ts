import { readFile } from 'node:fs/promises'
import { join, posix } from 'node:path'
import t from 'tap'
import { files, unpacked } from '../support/package.js'

// The page about the code also leads to files of the repository that the package does not hold.
const documents = ['README.md', 'CHANGELOG.md', ...files.filter((file) => /^docs\/.+\.md$/.test(file) && file !== 'docs/architecture.md')]

for (const document of documents) {
  t.test(`every relative link of ${document} leads to a file of the tarball`, async (t) => {
    const text = await readFile(join(unpacked, document), 'utf8')
    const targets = [...text.matchAll(/\]\(([^)#]+)[^)]*\)/g)]
      .map(([, target = '']) => target)
      .filter((target) => !/^[a-z]+:/.test(target))
    t.same(targets.filter((target) => !files.includes(posix.join(posix.dirname(document), target))), [])
    if (document === 'README.md') t.not(targets.length, 0)
  })
}

t.test('the tarball holds every example, and the pictures without what draws them', async (t) => {
  for (const file of ['examples/app.ts', 'examples/demo.ts', 'examples/images/resize-image.ts']) t.ok(files.includes(file), file)
  t.same(files.filter((file) => file.startsWith('docs/images/') && !/\.(?:svg|png)$/.test(file)), [])
})

t.test('package.json invents no address', async (t) => {
  const manifest = JSON.parse(await readFile(join(unpacked, 'package.json'), 'utf8')) as object
  t.same(['repository', 'bugs', 'homepage'].filter((key) => key in manifest), [])
})
