import { channel } from 'node:diagnostics_channel'
import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import t from 'tap'
import { awaitResponse, forgetResponse } from '../../lib/request/unknown-response.js'

const finish = channel('http.server.response.finish')

t.test('of two who await the response to one request, one may forget it, and the other still gets it', async (t) => {
  const request = new IncomingMessage(new Socket())
  const response = new ServerResponse(request)
  const [one, other] = [{}, {}]
  const told: unknown[] = []
  awaitResponse(request, one, () => { t.fail('it has forgotten the request') })
  awaitResponse(request, other, (response) => { told.push(response) })
  forgetResponse(request, one)
  forgetResponse(request, one)
  finish.publish({ request, response })
  finish.publish({ request: new IncomingMessage(new Socket()), response })
  t.equal(told.length, 1)
  t.equal(told[0], response)
  t.equal(finish.hasSubscribers, true)
  forgetResponse(request, other)
  t.equal(finish.hasSubscribers, false, 'nobody listens to the process any more')
})
