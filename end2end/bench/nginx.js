// nginx as a bare relay: the least that passing the stream on can cost.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { freePort, listening, start, tools, work } from './processes.js';

export async function startNginx(simulator) {
  const port = await freePort();
  const home = path.join(work, 'nginx');
  mkdirSync(home, { recursive: true });
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  // One process, so that its CPU time is all there is.
  writeFileSync(
    path.join(home, 'nginx.conf'),
    `daemon off;
master_process off;
pid ${home}/pid;
error_log ${home}/error.log;
events { worker_connections 256; }
http {
  access_log ${home}/access.log;
  ${temporary.map((name) => `${name}_temp_path ${home}/${name};`).join('\n  ')}
  upstream simulator { server 127.0.0.1:${simulator.port}; keepalive 32; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://simulator;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }
  }
}
`,
  );
  const made = start('nginx', tools.nginx, ['-p', home, '-c', path.join(home, 'nginx.conf'), '-e', `${home}/error.log`]);
  await listening(made, port);
  return Object.assign(made, { port });
}
