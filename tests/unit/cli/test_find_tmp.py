def test_find(llama, tmp_path):
    from workbench.cli import run
    for i,t in enumerate(["One, two, three: the river runs past seven hills.\n","A small dog eats bread and drinks water in the garden.\n", "house house house house house\n"]):
        f=tmp_path/f't{i}'; f.write_text(t*60)
        for h in ("blocks.0.hook_out","blocks.1.hook_out","blocks.2.hook_out"):
            o=tmp_path/f'o{i}{h}'
            print(i,h,run(["sae","train",str(llama),"--hook",h,"--out",str(o),"--tokens","512","--d-sae","32","--k","4","--texts",str(f)]),run(["sae","card",str(o),"--suspect",str(llama),"--texts",str(f),"--json"]))
