// Ends the run with what failed, a line each with the first line of why, and one line that a program can read.
export default class Summary {
  passed = 0;
  failed = 0;
  failures = [];

  onTestEnd(test, result) {
    if (result.status === 'skipped') return;
    if (test.outcome() === 'expected') this.passed += 1;
    else {
      this.failed += 1;
      const [, project, ...title] = test.titlePath();
      const why = (result.error?.message ?? result.status).replace(/\x1b\[[0-9;]*m/g, '').split('\n');
      const where = result.error?.location ? ` (line ${result.error.location.line})` : '';
      this.failures.push(`FAILED [${project}] ${title.join(' › ')}: ${why.slice(0, 4).map((l) => l.trim()).join(' ')}${where}`);
    }
  }

  // Something outside a test, such as a file that does not parse.
  onError(error) {
    this.failed += 1;
    console.log(error.message ?? String(error));
  }

  onEnd() {
    for (const failure of this.failures) console.log(failure);
    console.log(`${this.passed} passed, ${this.failed} failed`);
  }

  printsToStdio() {
    return false;
  }
}
