import { expect, it } from "vitest";
import { Code, Locals } from "./code.ts";
import { dumpModule } from "./dump.ts";
import { ModuleBuilder } from "./module.ts";

it("reads back what was written", () => {
  const module = new ModuleBuilder("example", { shared: false, initialPages: 1, maximumPages: 2 });
  const [first, second] = [module.declare(), module.declare()];
  const locals = new Locals(1);
  const vector = locals.take("v128");
  const code = new Code();
  code.loop(() => {
    code.get(0);
    code.memory("v128.load32_splat", 300);
    code.tee(vector);
    code.op("f32x4.relaxed_madd");
    code.i32(-200);
    code.f32(0.5);
    code.memoryLane("v128.store32_lane", 4, 2);
    code.if(
      () => code.branch(1),
      () => code.call(second),
    );
  });
  module.define(first, "one", { parameters: ["i32"], results: [] }, locals, [code]);
  module.define(second, "two", { parameters: [], results: [] }, new Locals(0), []);
  expect(dumpModule(module.encode())).toMatchInlineSnapshot(`
    "function "one" (locals: 1 × v128)
      loop
        local.get 0
        v128.load32_splat offset=300
        local.tee 1
        f32x4.relaxed_madd
        i32.const -200
        f32.const 0.5
        v128.store32_lane offset=4 2
        if
          br 1
        else
          call "two"
        end
      end
    end
    function "two" (locals: )
    end"
  `);
});
