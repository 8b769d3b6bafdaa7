// Ends the run with one line that a program can read.
export default class Summary {
  passed = 0;
  failed = 0;

  onTestEnd(test, result) {
    if (result.status === 'skipped') return;
    if (test.outcome() === 'expected') this.passed += 1;
    else this.failed += 1;
  }

  // Something outside a test, such as a file that does not parse.
  onError(error) {
    this.failed += 1;
    console.log(error.message ?? String(error));
  }

  onEnd() {
    console.log(`${this.passed} passed, ${this.failed} failed`);
  }

  printsToStdio() {
    return false;
  }
}
